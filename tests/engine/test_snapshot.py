"""A snapshot is frozen through and through: what a screen holds can't change under it, nor be changed by it."""

from __future__ import annotations

import inspect

import msgspec
import pytest
from msgspec import Struct

from engine.feeding import Line
from voicetop.engine import snapshot

STRUCTS = [
    kind
    for _, kind in inspect.getmembers(snapshot, inspect.isclass)
    if issubclass(kind, Struct) and kind is not Struct
]


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_part_of_it_is_frozen_and_holds_nothing_that_can_change(kind: type[Struct]) -> None:
    assert kind.__struct_config__.frozen
    for field in msgspec.structs.fields(kind):
        assert not str(field.type).startswith(("list", "dict", "set")), field.name


def test_a_snapshot_stays_as_it_was_when_the_session_goes_on() -> None:
    line = Line()
    line.begin("c1", language="es")
    line.turn("c1", 800.0)
    line.pass_(5)
    seen = line.see()
    before = msgspec.msgpack.encode(seen)
    line.turn("c1", 9_000.0)
    line.begin("c2")
    line.pass_(60)
    assert msgspec.msgpack.encode(seen) == before
    assert line.see() != seen
