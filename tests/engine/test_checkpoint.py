"""The checkpoint: what is loaded goes on as if nothing had been, nothing is missing from it, and damage is told."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import msgspec
import pytest
from msgspec import Raw, Struct
from msgspec.structs import force_setattr

from engine.feeding import START, Stamped, frames
from engine.traffic import Traffic
from voicetop.engine import checkpoint
from voicetop.engine.checkpoint import VERSION, State
from voicetop.engine.config import EngineConfig, Price
from voicetop.engine.judge.mark import ActiveTrouble
from voicetop.engine.snapshot import Trouble, View
from voicetop.errors import CheckpointError
from voicetop.session import Session
from voicetop.wire.events import (
    Audio,
    CallEnd,
    CallOutcome,
    CallStart,
    Capacity,
    Gap,
    Heartbeat,
    Marker,
    Operator,
    Security,
    SourceStatus,
    Stage,
    Turn,
    TurnStart,
)

CONFIG = EngineConfig(
    prices={"acme": Price(input_per_million=3.0)}, story_budget=60, terminal_steps=("goodbye",)
)


def fed(seed: int = 5, count: int = 1_500, config: EngineConfig = CONFIG) -> Session:
    session = Session(config)
    for data in frames(Traffic(seed, calls=8).stream(count), [50] * 100):
        session.feed(data)
    session.epoch = "epoch-1"
    return session


def complete() -> Session:
    """A small session with something in every part of its state."""
    session = fed(count=160)
    at = session.at
    told: list[Stamped] = [
        (at, Security(ts=at, kind="leak", label="a key in a transcript")),
        (at, Operator(ts=at, act="ack", by="ann")),
        (at, Capacity(limit=12, tested_at=START, ts=at)),
        (at, Marker(ts=at, kind="deploy", label="v2")),
        (at, CallEnd(ts=at, call_id="nobody", reason="completed")),
        (at, SourceStatus(ts=at, source="agent-1")),
        (at, Gap(ts=at, from_seq=1, to_seq=3, why="slow")),
        (at, CallStart(ts=at, call_id="w", caller="+49", segments={"intent": "billing"})),
        (at, Audio(ts=at, call_id="w", role="user", speech_rate_wpm=100.0, loudness_dbfs=-20.0)),
        (at, CallOutcome(ts=at, call_id="w", evaluator="judge", success=True, label="ok", reason="said so")),
        *[(at, TurnStart(ts=at - 30, call_id=f"w{n}", turn=0)) for n in range(9)],
        (at, Stage(ts=at, call_id="w1", name="llm", state="start", provider="acme")),
        (at, Turn(ts=at, call_id="w1", turn=0, e2e_ms=900.0, user_text="I want to cancel")),
        (at + 4, SourceStatus(ts=at + 4, source="agent-1")),
        (at + 6, Heartbeat(ts=at + 6, seq=1)),
        (at + 6, Turn(ts=at + 6, call_id="w", turn=0, e2e_ms=900.0)),
        (at + 6, TurnStart(ts=START - 90, call_id="w", turn=1)),
        (at + 6, Turn(ts=START - 20, call_id="w", turn=1, e2e_ms=70_000.0)),
    ]
    raw = [Raw(b'{"type":"weather","ts":1}'), Raw(b'{"type":"turn"}')]
    session.feed(frames(told, [], seq=session.seq + 1)[0])
    head = {"type": "batch", "seq": session.seq + 1, "at": [(at + 6, 2)], "events": raw}
    session.feed(msgspec.json.encode(head))
    session.feed(b"no frame")
    return session


# -- going on -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_loaded_session_has_the_same_digest_picture_and_future(seed: int) -> None:
    told = Traffic(seed, pauses=0.03).stream(2_000)
    data = frames(told, [40] * 100)
    first, second = Session(CONFIG), Session()
    for frame in data[:30]:
        first.feed(frame)
    first.epoch = "epoch-1"
    second.load(first.checkpoint())
    assert second.digest() == first.digest()
    assert second.checkpoint() == first.checkpoint()
    digests: list[str] = []
    first.on_beat.append(lambda _: digests.append(first.digest()))
    second.on_beat.append(lambda _: digests.append(second.digest()))
    for frame in data[30:]:
        digests.clear()
        first.feed(frame)
        half = len(digests)
        second.feed(frame)
        assert digests[:half] == digests[half:]
        view = View(span="24h", where=(("intent", "billing"),), limit=9)
        assert msgspec.json.encode(first.snapshot(view)) == msgspec.json.encode(second.snapshot(view))


def test_whatever_trouble_stands_is_loaded_as_it_stood() -> None:
    session, loaded = complete(), Session()
    assert {"waiting", "capacity"} <= set(session.engine.judge.standing)
    loaded.load(session.checkpoint())
    assert loaded.digest() == session.digest()


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("capacity", 1.0, "degraded", 90.0),
        Trouble("waiting", 1.0, "down", line=8.0),
        Trouble("stuck", 1.0, "down", 4.0, n=9),
        Trouble("local errors", 1.0, "degraded", 0.2),
    ],
)
def test_a_trouble_of_a_checkpoint_that_cannot_be_put_into_words_is_dropped(trouble: Trouble) -> None:
    session, loaded = complete(), Session()
    known = dict(session.engine.judge.standing)
    session.engine.judge.standing["strange"] = ActiveTrouble(trouble, session.at, session.at)
    loaded.load(session.checkpoint())
    assert loaded.engine.judge.standing.keys() == known.keys()
    assert loaded.snapshot(View()).verdict.text


def test_loading_lets_go_of_what_was_there_before_without_waiting_for_a_collector() -> None:
    session = fed()
    session.snapshot(View())
    before = weakref.ref(session.engine)
    gc.disable()
    try:
        session.load(session.checkpoint())
        assert before() is None
    finally:
        gc.enable()


def test_loading_leaves_the_lender_alone() -> None:
    lender = fed()
    state, digest = lender.checkpoint(), lender.digest()
    borrower = Session()
    borrower.load(state)
    for frame in frames(Traffic(9).stream(500), []):
        borrower.feed(frame)
    assert lender.digest() == digest != borrower.digest()


# -- damage ---------------------------------------------------------------------------------------------------------


def refused(data: bytes) -> None:
    session = fed(count=100)
    before = session.digest()
    with pytest.raises(CheckpointError):
        session.load(data)
    assert session.digest() == before


def test_another_version_is_refused_in_words() -> None:
    data = bytearray(fed().checkpoint())
    data[4] = VERSION + 1
    with pytest.raises(
        CheckpointError, match=rf"version {VERSION + 1}; this voicetop reads version {VERSION}"
    ):
        Session().load(bytes(data))


@pytest.mark.parametrize("data", [b"", b"V", b"VTCP", b"VTCP\x01", b"no checkpoint at all", b"{}" * 50])
def test_what_is_no_checkpoint_is_refused(data: bytes) -> None:
    refused(data)


def test_a_checkpoint_cut_anywhere_is_refused() -> None:
    data = fed(count=300).checkpoint()
    for length in range(0, len(data) - 1, max(1, len(data) // 150)):
        with pytest.raises(CheckpointError):
            checkpoint.unpack(data[:length])


def test_a_checkpoint_with_any_byte_changed_is_refused() -> None:
    data, dice = fed(count=300).checkpoint(), random.Random(1)
    for _ in range(300):
        damaged = bytearray(data)
        damaged[dice.randrange(len(data))] ^= dice.randint(1, 255)
        with pytest.raises(CheckpointError):
            checkpoint.unpack(bytes(damaged))


# -- the digest -----------------------------------------------------------------------------------------------------

Put: TypeAlias = Callable[[Any], None]


def test_changing_anything_in_the_state_breaks_the_digest() -> None:
    state = checkpoint.unpack(complete().checkpoint())
    whole = checkpoint.digest(state)
    empty = [name for name in State.__struct_fields__ if getattr(state, name) in ([], {}, "", None)]
    assert empty == [], "the session of this test has to fill every field"
    blind: list[str] = []
    seen = 0
    for path, value, put in walk(state, "state", _no_put):
        seen += 1
        put(other(value))
        if checkpoint.digest(state) == whole:
            blind.append(path)
        put(value)
    assert checkpoint.digest(state) == whole
    assert seen > 1_000
    assert blind == []


def walk(value: Any, path: str, put: Put) -> Iterator[tuple[str, Any, Put]]:
    """Every leaf and every container of a state, with its path and a way to put something else in its place."""
    if isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from walk(getattr(value, name), f"{path}.{name}", _setter(value, name))
        return
    yield path, value, put
    if isinstance(value, list):
        for n, part in enumerate(value):
            yield from walk(part, f"{path}[{n}]", _item_setter(value, n))
    elif isinstance(value, dict):
        for key, part in list(value.items()):
            yield from walk(part, f"{path}[{key!r}]", _item_setter(value, key))
    elif isinstance(value, tuple):
        for n, part in enumerate(value):
            yield from walk(part, f"{path}[{n}]", _tuple_setter(value, n, put))


def other(value: Any) -> Any:  # noqa: C901
    """Something of the same kind that is not the same."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1 if value == value else 1.5
        case str():
            return value + "x"
        case bytes():
            return value + b"xx"
        case bytearray():
            return bytearray(value + b"xx")
        case list():
            return value[:-1] if value else [0]
        case dict():
            return dict(list(value.items())[1:]) if value else {"x": 0}
        case tuple():
            return (*value, "x")
        case None | msgspec.UnsetType():
            return 1
    raise AssertionError(type(value))


def _no_put(_: Any) -> None:
    raise AssertionError("the state itself is a Struct")


def _setter(struct: Struct, name: str) -> Put:
    return lambda value: force_setattr(struct, name, value)


def _item_setter(container: Any, key: Any) -> Put:
    def put(value: Any) -> None:
        container[key] = value

    return put


def _tuple_setter(parts: tuple[Any, ...], n: int, put: Put) -> Put:
    return lambda value: put((*parts[:n], value, *parts[n + 1 :]))


DERIVED = {
    "Ledger": {"columns"},  # of its cells
    "Roster": set[str](),
    "Histograms": {"totals", "everyone"},  # of its slots
    "Counts": {"totals"},
    # what this engine folded itself, for a timeline; `amended` is read from the calls where it isn't at hand
    "Engine": {"replies", "failures", "amended"},
}

STATE_NAMES = {"stored_events": "told", "tick_counters": "taps"}
"""Attributes with another name in the checkpoint's format."""


def test_the_state_has_a_place_for_whatever_an_engine_holds() -> None:
    engine = complete().engine
    parts = [engine, engine.ledger, engine.roster, engine.ledger.windows, engine.ledger.counts]
    fields = {
        *State.__struct_fields__,
        "ledger",
        "roster",
        "edges",
        "late",
        "fine",
        "coarse",
        "reach",
        "kinds",
        "slots",
    }
    for part in parts:
        names = {STATE_NAMES.get(name, name) for name in vars(part) if not name.startswith("_")}
        assert names - fields == DERIVED[type(part).__name__]


def test_equal_feeds_have_equal_digests_and_others_have_not() -> None:
    assert fed(1).digest() == fed(1).digest() != fed(2).digest()
