"""What is said on stderr when a screen or the plain lines have ended, and the exit code that goes with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voicetop.ui.feed import RunningFeed


def last_words(feeds: Sequence[tuple[str, RunningFeed]]) -> int:
    """What should outlast the screen, on stderr; the exit code: 2 where nothing was ever shown, 1 for an error."""
    code = 0
    for name, feed in feeds:
        whose = f"{name}: " if len(feeds) > 1 else ""
        for note in [*feed.notes, *([feed.error] if feed.error else [])]:
            sys.stderr.write(f"voicetop: {whose}{note}\n")
        if feed.error:
            code = max(code, 1 if feed.latest else 2)
    return code
