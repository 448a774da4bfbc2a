"""Parts of states packed each as its difference from the same part of a state before, as far as that is shorter.

Zstandard takes the earlier content for a prefix of the new one (as `zstd --patch-from` does): of what detectors and
calls hold, half a minute changes a tenth. Reading such a part takes all those that it goes back to, some milliseconds
a megabyte, so that after `DEEPEST` differences one is written whole again. Where that is due differs from part to part,
lest all become whole at once; large parts go back less far.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from msgspec import Struct

from voicetop.recording.compression import CompressionParameter, ZstdDict, zstd_compress, zstd_decompress
from voicetop.replay.checkpoints.state_parts import SplitState, StatePart

DEEPEST, GOING_BACK = 24, 64 * 1024 * 1024
"""How many differences a part stands on, and how many bytes that may take to go through; twice as many while others are
due too.
"""
WORTH = 0.9
"""A difference of more than this share of the whole is not worth going back for."""
SLOT_LEVEL, LEVEL, LARGE_LEVEL = 19, 16, 6
"""High, for what is saved brings states nearer to each other; slots are packed once and mostly stay. What is large (the
sum of a day) would take seconds.
"""
LARGE_SLOT, LARGE = 256 * 1024, 4 * 1024 * 1024
LEAST = 1_024
"""Below so many bytes a part is packed whole."""
_LARGEST_WINDOW = 27


class PackedPart(Struct, frozen=True):
    """A part as it is kept; `base` is the name of that which it differs from, empty where it is whole."""

    base: bytes
    packed: bytes


class _Known(Struct, frozen=True):
    """The last of some kin: its name, how many differences it stands on, and how long it was when it was whole."""

    name: bytes
    depth: int
    whole: int


class DeltaEncoder:
    """Packs states one after the other. `content` gives what is in a part that was kept.

    `pack`, then `go_on` where the state was kept.
    """

    def __init__(self, content: Callable[[bytes], bytes]) -> None:
        self._content = content
        self._known: dict[str, _Known] = {}
        self._next: dict[str, _Known] = {}
        self._renewed = False
        """Whether a part has become whole in this state because it was due: others wait for the next one."""

    def pack(self, state: SplitState) -> dict[bytes, PackedPart]:
        """The new parts of a state."""
        self._next = {kin: known for kin, known in self._known.items() if kin in state.kin}
        self._renewed = False
        return {name: self._pack(name, part) for name, part in state.parts.items()}

    def go_on(self) -> None:
        """What was packed last is there from now on."""
        self._known = self._next

    def _pack(self, name: bytes, part: StatePart) -> PackedPart:
        known, content = self._known.get(part.kin), part.flat()
        deepest = min(DEEPEST, GOING_BACK // max(1, len(content)))
        due = known is not None and known.depth >= (2 * deepest if self._renewed else deepest)
        packed = b""
        if known is not None and not due and known.whole >= LEAST:
            packed = patch(self._content(known.name), content)
            if len(packed) < WORTH * known.whole:
                self._next[part.kin] = _Known(name, known.depth + 1, known.whole)
                return PackedPart(known.name, packed)
        self._renewed |= due
        made = whole(content, SLOT_LEVEL if part.block and len(content) < LARGE_SLOT else LEVEL)
        if known is not None and packed and len(packed) < WORTH * len(made.packed):  # it has grown since
            self._next[part.kin] = _Known(name, known.depth + 1, len(made.packed))
            return PackedPart(known.name, packed)
        depth = 0 if known is not None else zlib.crc32(part.kin.encode()) % DEEPEST
        self._next[part.kin] = _Known(name, depth, len(made.packed))
        return made


def whole(content: bytes, level: int = LEVEL) -> PackedPart:
    """A part as it is kept by itself."""
    return PackedPart(b"", zstd_compress(content, _level(level, content)))


def _level(level: int, content: bytes) -> int:
    return level if len(content) < LARGE else LARGE_LEVEL


def patch(before: bytes, after: bytes) -> bytes:
    """What makes `after` of `before`."""
    window = min(_LARGEST_WINDOW, max(10, (len(before) + len(after)).bit_length()))
    options: dict[int, int] = {
        CompressionParameter.compression_level: _level(LEVEL, after),
        CompressionParameter.window_log: window,
        CompressionParameter.enable_long_distance_matching: 1,
    }
    return zstd_compress(after, options=options, zstd_dict=ZstdDict(before, is_raw=True).as_prefix)


def patched(before: bytes, packed: bytes) -> bytes:
    """`after` again. Raises ZstdError."""
    return zstd_decompress(packed, zstd_dict=ZstdDict(before, is_raw=True).as_prefix)
