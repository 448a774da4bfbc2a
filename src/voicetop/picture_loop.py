"""Snapshots of a session for whoever looks: as often as a screen paints, and at once when one is asked for.

Any thread may ask; snapshots are made on the thread that folds. After each, folding has that thread to itself for a
while: of 100,000 calls a snapshot takes a tenth of a second, and four a second would hold a feed up until its hub gives
up on this console.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from voicetop.engine.snapshot import Snapshot, View

if TYPE_CHECKING:
    from voicetop.session import Session

PICTURES_PER_S = 4
"""At most as often as a screen paints."""
UNSEEN_PER_S = 1
REST = 3.0
"""After a snapshot, folding has the thread for at least so many times as long."""
BORROWED_S = 0.5
"""So much of folding's time may snapshots that were asked for take in advance: a key is answered at once, many keys as
the feed can bear."""

Answer: TypeAlias = Callable[[Snapshot], None]


class PictureLoop:
    """The newest snapshot (`latest`), who waits for one, and when the next may be made by itself."""

    def __init__(self) -> None:
        self.latest: Snapshot | None = None
        self.wanted = False
        """Whether a snapshot was asked for since the last one."""
        self.free_at = 0.0
        """Monotonic time (s) from which on folding has had its share of the thread."""
        self._lock = threading.Lock()
        self._view = View()
        self._asked: list[Answer] = []

    @property
    def every_s(self) -> float:
        """Seconds between two snapshots that nobody asked for; what is out of sight needs fewer."""
        return 1 / (PICTURES_PER_S if self._view.limit else UNSEEN_PER_S)

    def ask(self, view: View, call: Answer | None = None) -> None:
        """From now on make snapshots for `view`; `call` gets the first of them, on the thread that folds."""
        with self._lock:
            self._view = view
            self.wanted = True
            if call is not None:
                self._asked.append(call)

    def make(self, session: Session, monotonic: Callable[[], float]) -> None:
        """Make a snapshot of `session` now, for the screen and for all who asked."""
        with self._lock:
            view, calls, self._asked = self._view, self._asked, []
            self.wanted = False
        began = monotonic()
        picture = session.snapshot(view)
        self.latest = picture
        took = monotonic() - began
        self.free_at = max(began, min(self.free_at, began + BORROWED_S)) + (1 + REST) * took
        for call in calls:
            call(picture)


def freeze_imports() -> None:
    """What is imported by now stays: garbage collections come less often, and need not look at it again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
