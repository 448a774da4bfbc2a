"""The console on synthetic pictures that move by themselves: what `paint.py` measures and tests look at on a pty.

python benchmarks/play.py [calls] [overview|calls] [busy|incident|blind|empty|none]
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from voicetop.engine.snapshot import Snapshot, View
from voicetop.sources import Act, LinkState
from voicetop.ui.app import ConsoleApp

FRAME_S = 0.25
MADE = 120
"""Pictures made beforehand, so that making them isn't measured; then they are played in a circle."""


class Player:
    """A feed whose pictures are made once."""

    def __init__(self, kind: str, calls: int) -> None:
        self.kind, self.calls = kind, calls
        self.link = LinkState("live" if kind != "none" else "connecting", where="ws://127.0.0.1:8377")
        self.error = ""
        self.notes: list[str] = []
        self.past = None
        self.latest: Snapshot | None = None
        self.view = View()
        self.pictures: list[Snapshot] = []
        if kind != "none":
            threading.Thread(target=self._play, daemon=True).start()

    def ask(self, view: View, call: object = None) -> None:  # noqa: ARG002 - the next picture is soon enough
        self.view = view
        self.pictures = []

    def operate(self, act: Act) -> str:
        """Keep nothing."""
        return f"{act.act}: this is only played"

    def _make(self, tick: int) -> Snapshot:
        from ui import synthetic

        maker = getattr(synthetic, self.kind)
        sized = self.kind in ("busy", "incident")
        return maker(self.view, tick, self.calls) if sized else maker(self.view, tick)

    def _play(self) -> None:
        while True:
            view, made = self.view, []
            self.latest = self._make(0)
            while view is self.view and len(made) < MADE:
                made.append(self._make(len(made)))
                time.sleep(0.001)
            start = time.monotonic()
            while view is self.view:
                self.latest = made[int((time.monotonic() - start) / FRAME_S) % MADE]
                time.sleep(FRAME_S / 4)


def main() -> None:
    calls, page, kind = (*sys.argv[1:], *("1000", "overview", "incident")[len(sys.argv) - 1 :])
    app = ConsoleApp(Player(kind, int(calls)))
    if page == "calls":
        app.call_later(app.do, "calls")
    app.run()


if __name__ == "__main__":
    main()
