"""The one module that looks behind Textual's driver: whether the terminal has taken what was written to it.

Textual writes from a thread with a queue of 30 places; once it is full the whole app stands still. So nothing is
painted while the queue or the terminal still holds the last frame.
"""

from __future__ import annotations

import select
from typing import Any


def has_taken_all(driver: Any) -> bool:
    """Whether everything written has left the writer's queue and the terminal has room for more.

    A pseudo-terminal counts as writable while it holds next to nothing that its reader hasn't fetched. Drivers
    without a writer thread (a test's) are always ready.
    """
    writer = getattr(driver, "_writer_thread", None)
    if writer is None:
        return True
    if writer._queue.qsize():
        return False
    try:
        return bool(select.select([], [writer.fileno()], [], 0)[1])
    except (OSError, ValueError):  # closed, or a descriptor too large for select
        return True
