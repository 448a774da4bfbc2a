"""A feed that a test plays: it makes synthetic pictures for the view that was asked for, and answers from a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ui import synthetic
from voicetop.engine.snapshot import Snapshot, View
from voicetop.sources import Act, LinkState
from voicetop.ui.feed import Past

Maker = Callable[[View | None, int], Snapshot]


class FakeFeed:
    """A FeedHandle. `make(view, tick)` is any of the factories of `synthetic`; `step()` moves time on."""

    def __init__(
        self, make: Maker | None = synthetic.incident, *, where: str = "ws://127.0.0.1:8377"
    ) -> None:
        self.make = make
        self.link = LinkState("live" if make else "connecting", where=where)
        self.error = ""
        self.notes: list[str] = []
        self.past: Past | None = None
        self.kept: list[tuple[str, str, float, str]] = []
        self.acts: list[tuple[str, str, str, float]] = []
        self.why_not = ""
        self.view = View()
        self.tick = 0
        self.asked: list[View] = []
        self.latest: Snapshot | None = None
        self.step(0)

    def step(self, ticks: int = 1) -> None:
        """A new picture, so many quarters of a second later."""
        self.tick += ticks
        self.latest = self.make(self.view, self.tick) if self.make else None

    def ask(self, view: View, call: Callable[[Snapshot], None] | None = None) -> None:
        self.view = view
        self.asked.append(view)
        self.step(0)
        if call and self.latest is not None:
            threading.Thread(target=call, args=(self.latest,), daemon=True).start()

    def operate(self, act: Act) -> str:
        self.kept.append((act.act, act.text, act.at, act.call_id))
        self.acts.append((act.act, act.target, act.text, act.until))
        return self.why_not
