"""Parts of states kept as differences come back as they were, and never go back far."""

from __future__ import annotations

import random

import pytest

from voicetop.engine.windows.delta_encoding import block_of, planes_of
from voicetop.recording.compression import ZstdError
from voicetop.replay.checkpoints.deltas import DEEPEST, DeltaEncoder, PackedPart, patch, patched, whole
from voicetop.replay.checkpoints.state_parts import SplitState, StatePart


class Shelf:
    """What was kept, by name."""

    def __init__(self) -> None:
        self.kept: dict[bytes, PackedPart] = {}
        self.patches = DeltaEncoder(self.content)

    def content(self, name: bytes) -> bytes:
        part = self.kept[name]
        return patched(self.content(part.base), part.packed) if part.base else planes_of(part.packed)

    def depth(self, name: bytes) -> int:
        base = self.kept[name].base
        return 1 + self.depth(base) if base else 0

    def keep(self, name: bytes, part: StatePart) -> PackedPart:
        packed = self.patches.pack(SplitState(name, {name: part}, {part.kin}))
        self.patches.go_on()
        self.kept |= packed
        return packed[name]


def changing(steps: int) -> list[bytes]:
    """Contents that nobody packs well, a little of each new."""
    dice = random.Random(1)
    content, made = bytearray(dice.randbytes(20_000)), []
    for _ in range(steps):
        place = dice.randrange(19_000)
        content[place : place + 50] = dice.randbytes(60)
        made.append(bytes(content))
    return made


def test_what_changed_a_little_is_kept_as_its_difference_and_comes_back() -> None:
    shelf = Shelf()
    for number, content in enumerate(changing(3 * DEEPEST)):
        shelf.keep(b"%d" % number, StatePart("calls", content))
        assert shelf.content(b"%d" % number) == content
    sizes = [len(part.packed) for part in shelf.kept.values()]
    assert sorted(sizes)[len(sizes) // 2] < 500
    depths = [shelf.depth(name) for name in shelf.kept]
    assert max(depths) <= DEEPEST
    assert depths.count(0) in (3, 4)


def test_what_is_all_new_or_small_is_kept_whole() -> None:
    shelf, dice = Shelf(), random.Random(2)
    for number in range(3):
        assert not shelf.keep(b"%d" % number, StatePart("calls", dice.randbytes(5_000))).base
        assert not shelf.keep(b"small %d" % number, StatePart("few", b"a few calls")).base


def test_a_slot_is_kept_by_what_is_in_it() -> None:
    shelf = Shelf()
    for number, content in enumerate(changing(4)):
        shelf.keep(b"%d" % number, StatePart("fine 10 7", block=block_of(content)))
        assert shelf.content(b"%d" % number) == content
    assert sum(1 for part in shelf.kept.values() if part.base) >= 2


def test_a_state_that_found_no_room_is_nobodys_base() -> None:
    shelf, (first, second, third) = Shelf(), changing(3)
    shelf.keep(b"first", StatePart("calls", first))
    shelf.patches.pack(SplitState(b"second", {b"second": StatePart("calls", second)}, {"calls"}))
    assert shelf.keep(b"third", StatePart("calls", third)).base in (b"", b"first")
    assert shelf.content(b"third") == third


def test_a_difference_from_something_else_is_told() -> None:
    first, second = changing(2)
    assert len(patch(first, second)) < len(whole(second).packed) / 10
    with pytest.raises(ZstdError):
        patched(b"something else that it does not stand on" * 9, patch(first, second)[:-20])
