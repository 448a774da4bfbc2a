"""How a replay begins."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot import NAN


class PlaybackStart(Struct, frozen=True):
    """How a replay begins: at stamp time `at` (NaN: its beginning), until `until` (NaN: its end)."""

    at: float = NAN
    until: float = NAN
    speed: float = 1.0
    loop: bool = False
    playing: bool = True
