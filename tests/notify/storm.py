"""A storm of incidents over a hub, while the watcher is killed again and again and its pagers fail: what is lost?

The hub, its session, the watcher and all between them are the real ones; only the detector is the test's own, which
makes an incident of each event, as no detector should. Run as a program it is `voicetop` with that detector.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from hub.clients import publisher, send
from notify.receivers import CERT, Receiver, receiving
from voicetop import session as sessions
from voicetop.alerts.alerts import Alerts
from voicetop.alerts.signals import Signal
from voicetop.engine.engine import Engine
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session

FAILURES = [""] * 12 + ["500", "429 1", "reset", "late reset"]
CALM_S = 60.0


class OneEach:
    """Detectors (`alerts.Detectors`): an incident for each security event."""

    def step(self, engine: Engine, at: float) -> Sequence[Signal]:
        engine.ledger.tick_counters.drain()
        return []

    def urgent(self, engine: Engine, at: float) -> Sequence[Signal]:
        return [
            Signal(
                "storm",
                "security",
                "critical",
                f"incident {one.label}",
                one.ts,
                where=(("number", one.label),),
            )
            for one in engine.ledger.tick_counters.take_urgent()
        ]

    def learning_s(self, engine: Engine, at: float) -> float:
        return 0.0

    def dump(self) -> bytes:
        return b""

    def load(self, state: bytes) -> None:
        pass


class StormySession(sessions.Session):
    def __init__(self, config: object = None, alerts: object = None) -> None:
        super().__init__(None, Alerts((OneEach(),)))


class Report(Struct):
    """What came of it. `lost` counts incidents never told of or never resolved, at PagerDuty and at Slack."""

    incidents: int
    kills: int
    seconds: float
    requests: int
    lost_pages: int
    lost_resolves: int
    duplicates: int
    lost_messages: int
    repeated_messages: int
    maybe_repeated: int
    """What the queue itself counted as cut off while being sent, to any target: an upper bound of what came twice."""


async def storm(
    incidents: int, kills: int, *, seed: int = 1, seconds: float = 60.0, watchers: int = 1
) -> Report:
    """Run it; the incidents come, and are resolved, over `seconds` or for as long as the killing takes.

    Of several watchers, each with a queue of its own, any may be killed at any time.
    """
    began = time.monotonic()
    dice = random.Random(seed)
    with TemporaryDirectory() as folder, receiving() as receiver:
        receiver.chance = lambda: dice.choice(FAILURES)
        hub = Hub(HubConfig(port=0, deployment="storm"), new_session=StormySession)
        every: list[_Watcher] = []
        async with contextlib.AsyncExitStack() as ending:
            await hub.start()
            ending.push_async_callback(hub.close)
            for number in range(watchers):
                watcher = _Watcher(Path(folder) / str(number), hub.url, receiver.url)
                await watcher.start()
                ending.push_async_callback(watcher.end)
                await watcher.sees()
                every.append(watcher)
            weather = asyncio.create_task(_blow(hub, incidents, seconds))
            ending.callback(weather.cancel)
            for _ in range(kills):
                await asyncio.sleep(dice.uniform(0.3, 2.5))
                watcher = dice.choice(every)
                await watcher.kill()
                await watcher.start()
            await weather
            receiver.chance = lambda: ""
            await _settle(receiver, incidents)
        repeats = sum(watcher.repeats() for watcher in every)
        return _report(receiver, incidents, kills, time.monotonic() - began, repeats)


class _Watcher:
    def __init__(self, folder: Path, hub: str, receiver: str) -> None:
        (folder / "voicetop").mkdir(parents=True)
        (folder / "voicetop" / "config.toml").write_text(
            f'[notify.pagerduty.p]\nrouting_key = "env:KEY"\nurl = "{receiver}"\n'
            f'[notify.slack.s]\ntoken = "env:KEY"\nchannel = "#ops"\nurl = "{receiver}/api/"\n'
        )
        self._folder = folder
        self._hub = hub
        self._process: asyncio.subprocess.Process
        self._said = folder / "said"

    async def start(self) -> None:
        with self._said.open("ab") as said:
            self._process = await self._start(said.fileno())

    async def _start(self, stderr: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "watch", self._hub),
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(
                    [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
                ),
                "XDG_CONFIG_HOME": str(self._folder),
                "XDG_STATE_HOME": str(self._folder),
                "SSL_CERT_FILE": str(CERT),
                "KEY": "key-of-a-storm",
            },
            stderr=stderr,
        )

    async def sees(self) -> None:
        """Until it has seen the feed: what was over before that is no business of its."""
        async with asyncio.timeout(60):
            while not self._fact("seen"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        assert await self._process.wait() == -9, self._said.read_text()[-2000:]

    async def end(self) -> None:
        self._process.terminate()
        await self._process.wait()

    def repeats(self) -> int:
        return int(self._fact("repeats") or 0)

    def _fact(self, name: str) -> str:
        path = self._folder / "voicetop" / "outbox.db"
        if not path.exists():
            return ""
        with (
            contextlib.closing(sqlite3.connect(path)) as queue,
            contextlib.suppress(sqlite3.OperationalError),
        ):
            row = queue.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
            return str(row[0]) if row else ""
        return ""


async def _blow(hub: Hub, incidents: int, seconds: float) -> None:
    """Each incident begins, and is over a few seconds later: a person says so, since nothing else would."""
    connection = await publisher(hub.url)
    pause = seconds / (2 * incidents)
    order = [(float(number), "begin") for number in range(1, incidents + 1)]
    order += [(number + 20.5, "end") for number in range(1, incidents + 1)]
    for place, what in sorted(order):
        number = int(place) if what == "begin" else int(place - 20)
        if what == "begin":
            event: dict[str, object] = {"type": "security", "kind": "storm", "label": str(number)}
        else:
            await _known(hub, f"i{number}")
            event = {"type": "operator", "act": "resolve", "target": f"i{number}", "by": "storm"}
        await send(connection, {"ts": time.time(), **event})
        await asyncio.sleep(pause)
    await connection.close()


async def _known(hub: Hub, incident_id: str) -> None:
    """Until the hub has made an incident of it; nobody resolves what he doesn't see."""
    session = hub.feed.everybody.session._session
    assert isinstance(session, Session)
    async with asyncio.timeout(60):
        while session.alerts.incidents.find(incident_id) is None:  # noqa: ASYNC110 - the hub's own thread
            await asyncio.sleep(0.05)


async def _settle(receiver: Receiver, incidents: int) -> None:
    """Until everything is sent, or clearly never will be."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CALM_S):
            while receiver.open or min(len(receiver.opened), len(_resolved(receiver))) < incidents:  # noqa: ASYNC110
                await asyncio.sleep(0.2)


def _resolved(receiver: Receiver) -> set[str]:
    """The incidents whose message says that they are resolved."""
    return {
        message[-1]["text"] for message in receiver.messages.values() if "RESOLVED" in message[-1]["text"]
    }


def _report(receiver: Receiver, incidents: int, kills: int, seconds: float, repeats: int) -> Report:
    told = {message[0]["text"].partition(" · ")[2] for message in receiver.messages.values()}
    return Report(
        incidents=incidents,
        kills=kills,
        seconds=seconds,
        requests=len(receiver.requests),
        lost_pages=incidents - len(receiver.opened),
        lost_resolves=len(receiver.open),
        duplicates=sum(receiver.opened.values()) - len(receiver.opened),
        lost_messages=incidents - len(_resolved(receiver)),
        repeated_messages=len(receiver.messages) - len(told),
        maybe_repeated=repeats,
    )


if __name__ == "__main__":
    sessions.Session = StormySession  # type: ignore[misc]
    from voicetop.__main__ import main

    sys.exit(main())
