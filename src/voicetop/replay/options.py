"""How much of a live feed is kept, how a replay begins, and where it stands."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot import NAN


class HistoryLimits(Struct, frozen=True):
    """How much of a live feed is kept to go back to: seconds, and bytes on the disk."""

    seconds: float = 7200.0
    size: int = 512 * 1024 * 1024


class PlaybackStart(Struct, frozen=True):
    """How a replay begins: at stamp time `at` (NaN: its beginning), until `until` (NaN: its end)."""

    at: float = NAN
    until: float = NAN
    speed: float = 1.0
    loop: bool = False
    playing: bool = True


class PlaybackPosition(Struct, frozen=True):
    """The moment that is shown: stamp time `at`, and whether time goes on from there.

    `speed` is what was asked for (inf: as fast as it goes), `reached` the speed of the last second (NaN while it is
    paused). `seeking` is where it is on its way to, NaN where it has arrived. `why` says what stopped it.
    """

    at: float = NAN
    playing: bool = False
    speed: float = 1.0
    reached: float = NAN
    loop: bool = False
    seeking: float = NAN
    why: str = ""
