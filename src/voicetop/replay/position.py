"""Where somebody stands who walks through what was."""

from __future__ import annotations

from msgspec import Struct

from voicetop.engine.snapshot import NAN


class PlaybackPosition(Struct, frozen=True):
    """Where a past is being looked at: stamp time `at`, and whether time goes on there.

    `speed` is what was asked for (inf: as fast as it goes), `reached` what the last second really brought (NaN while
    it stands still). `seeking` is where it is on its way to, NaN where it has arrived. `why` says what stopped it.
    """

    at: float = NAN
    playing: bool = False
    speed: float = 1.0
    reached: float = NAN
    loop: bool = False
    seeking: float = NAN
    why: str = ""
