"""Makes the pictures of the documentation from a seeded run: python docs/pictures.py [FOLDER].

A simulated fleet is folded into a session, a day at once and then some minutes with an incident in them; the console
looks at it without a terminal. The same seed gives the same picture, until voicetop itself changes. One more is of a
recording of `recordings/` that stands still.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Raw

from voicetop.cli.replay import open_player
from voicetop.config import Config
from voicetop.engine.snapshot import Snapshot, View
from voicetop.replay.options import PlaybackStart
from voicetop.session import Session
from voicetop.simulator import Fleet, FleetConfig, SimulatedIncident
from voicetop.sources import LinkState
from voicetop.ui.app import ConsoleApp
from voicetop.ui.feed import Past
from voicetop.ui.svg import picture as drawn
from voicetop.wire.events import Event, Heartbeat
from voicetop.wire.frames import RawBatch, Welcome

START = 1_795_356_000.0  # 2026-11-22 14:00 UTC
BEAT_S = 0.25
FRAME = 500
SIZE = (124, 38)
INCIDENT = SimulatedIncident("llm_outage", at=30.0, duration=600.0, segment={"language": "es"})
SHOWN_AT_S = 94.0
SCREENS: dict[str, tuple[str, ...]] = {
    "overview": (),
    "calls": ("2",),
    "call": ("enter",),
    "segments": ("3",),
    "alerts": ("4", "enter"),
    "trends": ("5",),
}
"""The pictures, and the keys that lead to each screen from the Overview."""
RECORDING = Path(__file__).parent.parent / "recordings" / "llm-outage.vtr"
REPLAYED_AT_S = 152.0


class Standing:
    """A feed that stands still at one moment, and makes pictures of it for any view (`ui.feed.FeedHandle`)."""

    def __init__(self, session: Session) -> None:
        self.link = LinkState("live", where="ws://127.0.0.1:8377")
        self.error = ""
        self.notes: list[str] = []
        self.past: Past | None = None
        self._session = session
        self.latest: Snapshot | None = session.snapshot(View())

    def ask(self, view: View, call: Callable[[Snapshot], None] | None = None) -> None:
        self.latest = self._session.snapshot(view)
        if call is not None:
            call(self.latest)

    def operate(self, act: str, **_: object) -> str:
        return f"a picture takes no {act}"


def told(fleet: Fleet) -> Iterator[tuple[float, list[Event]]]:
    """The fleet's day, all of it received at its start; then what happens, with the hub's heartbeats."""
    while fleet.now < START:
        yield START, fleet.until(min(fleet.now + 60.0, START))
    for beat in range(int(SHOWN_AT_S / BEAT_S)):
        at = START + (beat + 1) * BEAT_S
        yield at, [*fleet.until(at), Heartbeat(ts=at, seq=0)]


def session_of(fleet: Fleet) -> Session:
    """A console's session that has followed this fleet up to the moment of the picture."""
    session = Session()
    session.feed(msgspec.json.encode(Welcome(epoch="picture", seq=0, at=START, deployment="acme-prod")))
    seq = 1
    for at, events in told(fleet):
        for first in range(0, len(events), FRAME):
            raws = [Raw(msgspec.json.encode(event)) for event in events[first : first + FRAME]]
            session.feed(msgspec.json.encode(RawBatch(seq=seq, at=[(at, len(raws))], events=raws)))
            seq += len(raws)
    return session


async def picture(session: Session, *keys: str) -> str:
    """The console's screen as SVG, after these keys."""
    app = ConsoleApp(Standing(session), title="acme-prod", utc=True)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(*keys)
        await pilot.pause(0.5)
        return drawn(app.sheet.lines, app.sheet.ink.theme)


async def replay() -> str:
    """The recording where the first callers are stuck, once all of its timeline is known."""
    start = PlaybackStart(at=START + REPLAYED_AT_S, playing=False)
    player = open_player(RECORDING, RECORDING.name, start, Config(), author="docs", problem=lambda: "")
    app = ConsoleApp(player, title=RECORDING.name, utc=True)
    app.on_first_paint = player.start
    try:
        async with app.run_test(size=SIZE) as pilot:
            while not (player.timeline.complete and player.latest):
                await pilot.pause(0.2)
            await pilot.pause(1.0)
            return drawn(app.sheet.lines, app.sheet.ink.theme)
    finally:
        player.close()


def main(folder: Path) -> None:
    """Write them all."""
    os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
    os.environ.pop("NO_COLOR", None)
    config = FleetConfig(
        start=START,
        seed=7,
        calls=230,
        history=86_400.0,
        full=3_000.0,
        capacity=300,
        incidents=(INCIDENT,),
    )
    session = session_of(Fleet(config))
    for name, keys in SCREENS.items():
        (folder / f"{name}.svg").write_text(asyncio.run(picture(session, *keys)), encoding="utf-8")
    (folder / "replay.svg").write_text(asyncio.run(replay()), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    main(parser.parse_args().folder)
