"""A dead man's switch: pings a URL while the watcher receives the feed and can notify.

Services like healthchecks.io, Dead Man's Snitch or PagerDuty's own raise an alert when the pings stop: this process
can't report that it, its machine or its network is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from voicetop import __version__
from voicetop.clock import Clock
from voicetop.errors import NotifyError
from voicetop.notify.delivery import run_in_thread
from voicetop.notify.secrets import SecretStore
from voicetop.notify.targets.base import TIMEOUT_S, DeliveryFailed, unreachable
from voicetop.wire.text import safe_text


class DeadMansSwitch:
    """Pings `url` every `every_s` seconds while `healthy()`. Logs each new failure once.

    Raises NotifyError if `url` is not an HTTP URL.
    """

    def __init__(
        self,
        url: str,
        secrets: SecretStore,
        clock: Clock,
        log: Callable[[str], None],
        *,
        every_s: float,
        healthy: Callable[[], bool],
    ) -> None:
        if not url.startswith(("https://", "http://")):
            raise NotifyError("notify.heartbeat_url: the secret is not a URL that begins with https://")
        self._url = url
        self._secrets = secrets
        self._clock = clock
        self._log = log
        self._every = every_s
        self._healthy = healthy
        self._failing = ""

    async def run(self) -> None:
        """Ping until cancelled."""
        while True:
            if self._healthy():
                await self._ping()
            await self._clock.sleep(self._every)

    async def _ping(self) -> None:
        try:
            await run_in_thread(self.ping)
        except DeliveryFailed as failure:
            if self._failing != str(failure):
                self._failing = str(failure)
                self._log(f"heartbeat: {failure}; retrying in {self._every:.0f} s")
        else:
            self._failing = ""

    def ping(self) -> str:
        """Ping once, now. Raises DeliveryFailed."""
        request = Request(self._url, headers={"User-Agent": f"voicetop/{__version__}"})  # noqa: S310 - checked above
        try:
            with urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
                response.read(1024)
        except HTTPError as error:
            error.close()
            raise DeliveryFailed(
                f"the URL returned HTTP {error.code}: check that it is still right", refused=True
            ) from None
        except (URLError, OSError, ValueError) as error:
            why = getattr(error, "reason", error)
            raise unreachable(self._url, safe_text(self._secrets.scrub(str(why)), 200)) from None
        return ""
