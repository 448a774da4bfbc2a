"""However a network cuts the feed into frames, the state at every heartbeat is the same.

Over real sockets `tests/test_session.py` says so; here the cuts are worse than any network's, and the engine has so
little room that it makes room all the time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from engine.feeding import Stamped, frames
from engine.traffic import Traffic
from voicetop.engine.config import EngineConfig
from voicetop.session import Session
from voicetop.wire.events import CallUpdate, Heartbeat

NARROW = EngineConfig(
    max_cells=12,
    max_values=6,
    max_dimensions=3,
    ended_kept=12,
    failed_kept=9,
    story_budget=150,
    lost_after_s=60.0,
)
ROOMY = EngineConfig(story_budget=400)


def recording(seed: int, count: int) -> list[Stamped]:
    """Random traffic, and made-up segments in between."""
    dice = random.Random(seed)
    told: list[Stamped] = []
    for at, event in Traffic(seed, calls=25, pauses=0.02).stream(count):
        told.append((at, event))
        call_id = getattr(event, "call_id", "")
        if call_id and dice.random() < 0.05:
            patch = {dice.choice(("intent", "campaign", "mood", "x")): f"v{dice.randrange(40)}"}
            told.append((at, CallUpdate(ts=at, call_id=call_id, segments=dict(patch))))
    return told


def one_by_one(told: list[Stamped]) -> Iterator[int]:
    return iter([1] * len(told))


def as_it_comes(told: list[Stamped]) -> Iterator[int]:
    dice = random.Random(len(told))
    while True:
        yield dice.choice((1, 2, 3, 5, 8, 30, 100))


def until_the_heartbeat(told: list[Stamped]) -> Iterator[int]:
    size = 0
    for _, event in told:
        size += 1
        if isinstance(event, Heartbeat):
            yield size
            size = 0


def all_at_once(told: list[Stamped]) -> Iterator[int]:
    return iter([])


Cut = Callable[[list[Stamped]], Iterator[int]]
CUTS: tuple[Cut, ...] = (one_by_one, as_it_comes, until_the_heartbeat, all_at_once)


def digests(told: list[Stamped], cut: Cut, session: Session, *, seq: int = 1) -> list[str]:
    """The digest at every heartbeat."""
    found: list[str] = []
    session.on_beat.append(lambda beat: found.append(session.digest()))
    for data in frames_cut(told, cut, seq):
        session.feed(data)
    return found


def frames_cut(told: list[Stamped], cut: Cut, seq: int) -> list[bytes]:
    sizes: list[int] = []
    for size in cut(told):
        if sum(sizes) >= len(told):
            break
        sizes.append(size)
    return frames(told, sizes, seq=seq)


@pytest.mark.parametrize("config", [NARROW, ROOMY], ids=["narrow", "roomy"])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_cut_changes_the_state_at_any_heartbeat(seed: int, config: EngineConfig) -> None:
    told = recording(seed, 1_600)
    first = digests(told, CUTS[0], session := Session(config))
    assert len(set(first)) == len(first) > 100
    for cut in CUTS[1:]:
        assert digests(told, cut, Session(config)) == first
    if config is NARROW:  # it really had to make room
        cells, roster = session.engine.ledger.cells, session.engine.roster
        assert cells.swept > 0 < cells.folded
        assert any(call.observed for call in (*roster.live.values(), *roster.ended_calls()))


@pytest.mark.parametrize("config", [NARROW, ROOMY], ids=["narrow", "roomy"])
def test_who_joins_half_way_by_checkpoint_goes_on_the_same(config: EngineConfig) -> None:
    told = recording(7, 1_600)
    first = digests(told, as_it_comes, Session(config))
    beats = [n for n, (_, event) in enumerate(told) if isinstance(event, Heartbeat)]
    for share in (0.1, 0.6):
        half = int(len(beats) * share)
        hub = Session(config)
        digests(told[: beats[half] + 1], all_at_once, hub)
        joined = Session()
        joined.load(hub.checkpoint())
        rest = digests(told[beats[half] + 1 :], until_the_heartbeat, joined, seq=beats[half] + 2)
        assert rest == first[half + 1 :]
