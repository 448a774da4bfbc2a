"""A feed that is a real session: a simulated fleet is folded into it in fast motion, and it makes real pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from voicetop.engine.snapshot import Snapshot, View
from voicetop.session import Session
from voicetop.simulator import Fleet, FleetConfig, SimulatedIncident
from voicetop.sources import Act, LinkState
from voicetop.ui.feed import Past
from voicetop.wire import events

START = 1_760_000_000.0
BEAT_S = 0.25
FRAME = 500


class SessionFeed:
    """A FeedHandle on a session that knows a day of this fleet; `run` lets time pass."""

    def __init__(
        self,
        incidents: tuple[SimulatedIncident, ...] = (),
        *,
        seed: int = 3,
        calls: int = 300,
        history: float = 86_400.0,
    ) -> None:
        config = FleetConfig(
            start=START,
            seed=seed,
            calls=calls,
            history=history,
            full=3600.0,
            old_calls=2000,
            incidents=incidents,
        )
        self.fleet = Fleet(config)
        self.session = Session()
        self.link = LinkState("live")
        self.error = ""
        self.notes: list[str] = []
        self.past: Past | None = None
        self.ended = False
        self.view = View()
        self.latest: Snapshot | None = None
        self.at = START
        self._seq = 1
        while self.fleet.now < START:
            self._put(self.fleet.until(min(self.fleet.now + 60.0, START)))

    def run(self, seconds: float) -> None:
        """Fold so many seconds of the fleet, with the hub's heartbeats between them."""
        for _ in range(int(seconds / BEAT_S)):
            self.at += BEAT_S
            self._put([*self.fleet.until(self.at), events.Heartbeat(ts=self.at, seq=self._seq)])

    def look(self) -> Snapshot:
        """A picture for the view that was asked for last."""
        self.latest = self.session.snapshot(self.view)
        return self.latest

    def ask(self, view: View, call: Callable[[Snapshot], None] | None = None) -> None:
        self.view = view
        picture = self.look()
        if call:
            threading.Thread(target=call, args=(picture,), daemon=True).start()

    def operate(self, act: Act) -> str:
        return "a test listens to nobody"

    def _put(self, made: Sequence[events.Event]) -> None:
        for start in range(0, len(made), FRAME):
            part = made[start : start + FRAME]
            head = f'{{"type":"batch","seq":{self._seq},"at":[[{self.at:.3f},{len(part)}]],"events":'
            self.session.feed(head.encode() + msgspec.json.encode(part) + b"}")
            self._seq += len(part)
