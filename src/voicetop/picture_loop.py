"""Schedules snapshots of a session: at the screen's frame rate, and at once on request.

Any thread may request one; the folding thread makes them. After each snapshot, folding has the thread to itself for a
while: with 100,000 calls a snapshot takes 0.1 s, and four a second would delay the feed until the hub disconnects.
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
"""The screen's maximum frame rate."""
HIDDEN_PER_S = 1
REST_FACTOR = 3.0
"""After a snapshot, folding gets the thread for at least this many times the snapshot's duration."""
BORROWED_S = 0.5
"""Requested snapshots may run ahead of folding's share by this much: one key is answered at once, a burst of keys only
as fast as the feed allows."""

Answer: TypeAlias = Callable[[Snapshot], None]


class PictureLoop:
    """The newest snapshot (`latest`), pending requests, and when the next periodic snapshot may be made."""

    def __init__(self) -> None:
        self.latest: Snapshot | None = None
        self.requested = False
        """Whether a snapshot has been requested since the last one."""
        self.free_at = 0.0
        """Monotonic time (s) at which folding has had its share of the thread."""
        self._lock = threading.Lock()
        self._view = View()
        self._pending: list[Answer] = []

    @property
    def every_s(self) -> float:
        """Seconds between periodic snapshots; a feed that isn't on the screen needs fewer."""
        return 1 / (PICTURES_PER_S if self._view.limit else HIDDEN_PER_S)

    def ask(self, view: View, call: Answer | None = None) -> None:
        """Make snapshots for `view` from now on; `call` gets the first of them, on the folding thread."""
        with self._lock:
            self._view = view
            self.requested = True
            if call is not None:
                self._pending.append(call)

    def make(self, session: Session, monotonic: Callable[[], float]) -> None:
        """Make a snapshot of `session` now, and answer all pending requests with it."""
        with self._lock:
            view, calls, self._pending = self._view, self._pending, []
            self.requested = False
        began = monotonic()
        snapshot = session.snapshot(view)
        self.latest = snapshot
        took = monotonic() - began
        self.free_at = max(began, min(self.free_at, began + BORROWED_S)) + (1 + REST_FACTOR) * took
        for call in calls:
            call(snapshot)


def freeze_imports() -> None:
    """Exclude everything imported so far from garbage collection, and collect less often."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
