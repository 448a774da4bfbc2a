"""How much of a live feed is kept to be gone back to."""

from __future__ import annotations

from msgspec import Struct


class HistoryLimits(Struct, frozen=True):
    """Seconds, and bytes on the disk."""

    seconds: float = 7200.0
    size: int = 512 * 1024 * 1024
