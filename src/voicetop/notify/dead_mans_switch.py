"""A dead man's switch: an address that is asked for as long as there is somebody who sees and can tell.

Services like healthchecks.io, Dead Man's Snitch or PagerDuty's own raise the alarm when it stops: nobody else could say
that this process, its machine or its network is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from voicetop import __version__
from voicetop.clock import Clock
from voicetop.errors import NotifyError
from voicetop.notify.delivery import in_thread
from voicetop.notify.secrets import SecretStore
from voicetop.notify.targets.base import TIMEOUT_S, DeliveryFailed, unreachable
from voicetop.wire.text import safe_text


class DeadMansSwitch:
    """Asks for `url` every `every_s` seconds while `well()`; what fails is told once. Raises NotifyError: no URL."""

    def __init__(
        self,
        url: str,
        vault: SecretStore,
        clock: Clock,
        log: Callable[[str], None],
        *,
        every_s: float,
        well: Callable[[], bool],
    ) -> None:
        if not url.startswith(("https://", "http://")):
            raise NotifyError("notify.heartbeat_url: the secret is not a URL that begins with https://")
        self._url = url
        self._vault = vault
        self._clock = clock
        self._log = log
        self._every = every_s
        self._well = well
        self._failing = ""

    async def run(self) -> None:
        """For as long as this runs."""
        while True:
            if self._well():
                await self._beat()
            await self._clock.sleep(self._every)

    async def _beat(self) -> None:
        try:
            await in_thread(self.ask)
        except DeliveryFailed as failure:
            if self._failing != str(failure):
                self._failing = str(failure)
                self._log(f"heartbeat: {failure}; retrying in {self._every:.0f} s")
        else:
            self._failing = ""

    def ask(self) -> str:
        """Once, now. Raises Failed."""
        request = Request(self._url, headers={"User-Agent": f"voicetop/{__version__}"})  # noqa: S310 - checked above
        try:
            with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                answer.read(1024)
        except HTTPError as error:
            error.close()
            raise DeliveryFailed(
                f"the URL returned HTTP {error.code}: check that it is still right", refused=True
            ) from None
        except (URLError, OSError, ValueError) as error:
            why = getattr(error, "reason", error)
            raise unreachable(self._url, safe_text(self._vault.scrub(str(why)), 200)) from None
        return ""
