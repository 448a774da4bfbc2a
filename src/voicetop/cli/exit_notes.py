"""Messages on stderr after a screen or plain output has ended, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicetop.cli.log import say

if TYPE_CHECKING:
    from voicetop.ui.feed import RunningFeed


def print_exit_notes(feeds: Sequence[tuple[str, RunningFeed]]) -> int:
    """Print notes and errors on stderr; returns the exit code: 2 if nothing was ever shown, 1 for an error."""
    code = 0
    for name, feed in feeds:
        prefix = f"{name}: " if len(feeds) > 1 else ""
        for note in [*feed.notes, *([feed.error] if feed.error else [])]:
            say(f"{prefix}{note}")
        if feed.error:
            code = max(code, 1 if feed.latest else 2)
    return code
