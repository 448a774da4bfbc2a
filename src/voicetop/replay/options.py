"""Options of a replay: how much live history to keep, how playback starts, and its current position."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot import NAN


class HistoryLimits(Struct, frozen=True):
    """How much of a live feed's history to keep: seconds, and bytes on disk."""

    seconds: float = 7200.0
    size: int = 512 * 1024 * 1024


class PlaybackStart(Struct, frozen=True):
    """How playback starts: at stamp time `at` (NaN: the beginning), until `until` (NaN: the end)."""

    at: float = NAN
    until: float = NAN
    speed: float = 1.0
    loop: bool = False
    playing: bool = True


class PlaybackPosition(Struct, frozen=True):
    """The playback position: stamp time `at`, and whether it is playing.

    `speed` is the requested speed (inf: as fast as possible), `actual_speed` the measured one (NaN while paused).
    `seeking` is the target of a seek in progress, else NaN. `why` says what stopped playback.
    """

    at: float = NAN
    playing: bool = False
    speed: float = 1.0
    actual_speed: float = NAN
    loop: bool = False
    seeking: float = NAN
    why: str = ""
