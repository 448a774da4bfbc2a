"""Calls that begin, wait, are lost, come back and end in every order: what a real hub shows, and so does a replay
of its recording, wherever it is cut.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.clients import Json
from hub.wound_hub import wound_hub
from voicetop.cli import run
from voicetop.cli.plain import line
from voicetop.engine.snapshot import CallRow, View
from voicetop.recording import read
from voicetop.session import Session

NO_WAIT = math.nan


@dataclass
class Life:
    """What is told of one call, each event some seconds before the end of the test, and what is then shown of it.

    An event's `late` is how many seconds before its receipt it happened.
    """

    told: list[tuple[float, Json]]
    state: str
    waits: float = NO_WAIT
    replies: tuple[float, ...] = ()
    reason: str = ""
    cost: float = math.nan
    age: float | None = None


def start(**fields: object) -> Json:
    return {"type": "call.start", **fields}


def wait(turn: int, **fields: object) -> Json:
    return {"type": "turn.start", "turn": turn, **fields}


def reply(turn: int, e2e_ms: object, **fields: object) -> Json:
    return {"type": "turn", "turn": turn, "e2e_ms": e2e_ms, **fields}


def state(name: str, **fields: object) -> Json:
    return {"type": "call.update", "state": name, **fields}


def end(reason: str = "completed", **fields: object) -> Json:
    return {"type": "call.end", "reason": reason, **fields}


def cost(dollars: float, **fields: object) -> Json:
    return {"type": "usage", "component": "llm", "cumulative": True, "cost_usd": dollars, **fields}


def words(text: str, **fields: object) -> Json:
    return {"type": "transcript", "role": "user", "text": text, **fields}


def turns(*numbers: int, begin: float, step: float = 3.0) -> list[tuple[float, Json]]:
    """Waits of a second with their replies, one after the other."""
    return [
        (begin - step * place - after, event)
        for place, number in enumerate(numbers)
        for after, event in ((0.0, wait(number)), (1.0, reply(number, 1_000.0)))
    ]


LIVES = {
    "backwards": Life(
        [(20, end(late=1)), (20, reply(1, 700.0, late=3)), (20, wait(1, late=4)), (20, reply(0, 800.0, late=7)),
         (20, wait(0, late=8)), (20, start(late=9))],
        "ended", replies=(700, 800), reason="completed", age=8,
    ),
    "shuffled": Life(
        [(20, reply(0, 800.0, late=5)), (20, start(late=9)), (20, wait(1)), (20, wait(0, late=6)),
         (20, state("held", late=2)), (20, {"type": "stage", "name": "vad", "state": "start", "late": 1})],
        "waiting", waits=20, replies=(800,),
    ),
    "twice": Life(
        [(30, event) for event in (start(event_id="t1"), wait(0, event_id="t2"), reply(0, 500.0, event_id="t3"),
                                   cost(0.25, event_id="t4", cumulative=False), end("user_hangup", event_id="t5"))
         for _ in range(3)],
        "ended", replies=(500,), reason="user_hangup", cost=0.25,
    ),
    "twice-unnamed": Life(
        [(30 - n / 10, event) for n, event in enumerate((start(), wait(0), reply(0, 500.0), end())) for _ in "ab"],
        "ended", replies=(500,), reason="completed",
    ),
    "lost": Life([(400, start()), (399, wait(0)), (398, reply(0, 1_000.0))], "lost", replies=(1_000,), reason="lost"),
    "revived": Life(
        [(900, start()), (899, wait(0)), (898, reply(0, 900.0)), (300, words("hello?")), (20, wait(1))],
        "waiting", waits=20, replies=(900,), age=900,
    ),
    "revived-backlog": Life(
        [(900, start()), (20, reply(0, 900.0, late=600)), (20, reply(1, 900.0, late=300)), (20, wait(2, late=4))],
        "waiting", waits=24, replies=(900, 900),
    ),
    "lost-then-ended": Life(
        [(900, start()), (899, reply(0, 900.0)), (100, end("user_hangup"))],
        "ended", replies=(900,), reason="user_hangup", age=800,
    ),
    "held-an-hour": Life(
        [(3_650, start()), (3_640, wait(0)), (3_639, reply(0, 900.0)), (3_630, state("held")), (30, state("active")),
         (20, wait(1))],
        "waiting", waits=20, replies=(900,), age=3_650,
    ),
    "still-held": Life([(3_650, start()), (3_640, wait(0)), (3_630, state("held"))], "held", age=3_650),
    "transferred": Life(
        [(2_000, start()), (1_990, state("transferring")), (40, end("completed")), (30, end("transferred"))],
        "ended", reason="transferred", age=1_960,
    ),
    "held-and-back-without-a-word": Life([(60, start()), (50, state("held")), (20, wait(0))], "waiting", waits=20),
    "restarts-twice": Life(
        [(60, start()), *turns(0, 1, 0, 1, 0, 1, begin=50), (20, wait(0))],
        "waiting", waits=20, replies=(1_000,) * 6,
    ),
    "always-0": Life([(60, start()), *turns(0, 0, 0, begin=50), (20, wait(0))], "waiting", 20, (1_000,) * 3),
    "greeting-0": Life(
        [(60, start()), (59, {"type": "turn", "turn": 0, "agent_text": "Hello!"}), (20, wait(0))], "waiting", waits=20,
        replies=(math.nan,),
    ),
    "amended-after-the-end": Life(
        [(60, start()), *turns(0, begin=50), (40, end()), (20, reply(0, 1_600.0, interrupted=True, late=29))],
        "ended", replies=(1_600,), reason="completed", age=20,
    ),
    "amended-rounds": Life(
        [(60, start()), *turns(0, 0, begin=50, step=10), (20, reply(0, 1_500.0, late=29))],
        "active", replies=(1_500, 1_000),
    ),
    "words-first": Life(
        [(30, words("my card", final=False)), (29, start(late=3)), (20, wait(0))], "waiting", waits=20, age=32,
    ),
    "words-last": Life([(60, start()), (40, end()), (20, words("bye"))], "ended", reason="completed", age=20),
    "again-at-once": Life(
        [(40, start()), (39, reply(0, 900.0)), (30, cost(0.5)), (25, end("user_hangup")), (25, start()), (25, wait(0)),
         (25, cost(0.125))],
        "waiting", waits=25, cost=0.125, age=25,
    ),
    "again-after-11-s": Life(
        [(60, start()), (59, reply(0, 900.0)), (40, end()), (29, wait(0))], "waiting", waits=29, age=29,
    ),
    "again-after-an-hour": Life(
        [(3_690, start()), (3_680, end()), (60, start()), (50, reply(0, 900.0)), (20, end("agent_hangup"))],
        "ended", replies=(900,), reason="agent_hangup", age=40,
    ),
    "ghost-rings": Life(
        [(60, state("ringing")), (55, start()), (50, end("user_hangup")), (45, state("ringing")),
         (20, state("ringing", late=40)), (20, start(late=35))],
        "ended", reason="user_hangup",
    ),
    "rings-then-talks": Life([(60, state("ringing")), (50, start()), (20, wait(0))], "waiting", waits=20, age=60),
    "end-comes-first": Life(
        [(30, end("user_hangup")), (29, start(late=11)), (29, reply(0, 600.0, late=5)), (29, wait(1, late=3))],
        "ended", replies=(600,), reason="user_hangup", age=10,
    ),
    "falling-cost": Life(
        [(60 - n, cost(dollars)) for n, dollars in enumerate((0.25, 0.5, 0.125, 0.25, -1.0), 1)]
        + [(60, start()), (30, cost(0.375, late=28.5))],
        "active", cost=0.75,
    ),
    "undead": Life([(60, start()), (50, state("ended")), (20, wait(0))], "waiting", waits=20),
    "absurd": Life(
        [(60, start()), (50, reply(0, -1.7e9, latency={"stt": 9e8, "llm_ttft": -5})),
         (45, reply(1, 9e8)), (40, reply(2, "fast")),
         (30, {"type": "tool", "name": "x", "state": "ok", "duration_ms": -1}),
         (20, end(duration_s=-1.7e9))],
        "ended", replies=(math.nan,) * 3, reason="completed", age=40,
    ),
    "before-1970-began": Life([(60, start(ts=1.0)), (20, wait(0, ts=2.0))], "waiting", waits=60, age=math.nan),
    "from-the-future": Life([(60, start(late=-1e9)), (20, wait(0, late=-1e6))], "waiting", waits=20, age=60),
}  # fmt: skip


class Shown:
    """What the session behind the hub shows of the calls, and the recording of it all."""

    def __init__(self, session: Session, path: Path) -> None:
        self.session, self.path = session, path
        self.line = line(session.snapshot(View()))

    def rows(self, name: str, *, ended: bool) -> list[CallRow]:
        rows = self.session.snapshot(View(ended=ended, limit=1_000)).calls.rows
        return [row for row in rows if row.call_id == name]


async def play(lives: dict[str, Life], path: Path) -> Shown:
    """Tell a hub everything, in the order of its receipt."""
    told = [(before, name, event) for name, life in lives.items() for before, event in life.told]
    told.sort(key=lambda item: -item[0])
    async with wound_hub(str(path)) as hub:
        over = hub.clock.now + told[0][0]
        for before, name, event in told:
            await hub.pass_(over - before - hub.clock.now)
            await hub.tell({"ts": hub.clock.now - event.get("late", 0.0), **event, "call_id": name})
        await hub.pass_(over - hub.clock.now)
        await hub.settle()
    return Shown(hub.session, path)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return asyncio.run(play(LIVES, tmp_path_factory.mktemp("lives") / "lives.vtr"))


@pytest.mark.parametrize("name", LIVES)
def test_of_every_call_the_truth_is_shown(shown: Shown, name: str) -> None:
    life = LIVES[name]
    over = bool(life.reason)
    [row] = shown.rows(name, ended=over)
    assert (row.state, row.reason) == (life.state, life.reason)
    assert row.recent == pytest.approx(life.replies, nan_ok=True)
    assert row.waiting_s == pytest.approx(life.waits, abs=0.6, nan_ok=True)
    assert row.cost_usd == pytest.approx(life.cost, nan_ok=True)
    assert life.age is None or row.age_s == pytest.approx(life.age, abs=0.6, nan_ok=True)
    assert shown.rows(name, ended=not over) == []


def test_the_counts_are_those_of_the_calls(shown: Shown) -> None:
    snap = shown.session.snapshot(View(span="24h"))
    live = [life for life in LIVES.values() if not life.reason]
    waiting = [life.waits for life in live if life.waits == life.waits]
    assert (snap.capacity.live, snap.waiting.waiting, snap.waiting.stuck) == (
        len(live),
        len(waiting),
        len(waiting),
    )
    assert f"live {len(live)} " in shown.line
    assert f"stuck {len(waiting)}/{len(waiting)}" in shown.line


def replayed(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of a replay."""
    assert run(["replay", str(path), "--plain", "--speed", "max"]) == 0
    return capsys.readouterr().out.splitlines()[-1]


def test_a_replay_says_the_same(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    assert replayed(shown.path, capsys) == shown.line


@pytest.mark.parametrize("before", [300, 27])
def test_so_does_one_that_is_cut(
    shown: Shown, before: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.vtr"
    assert run(["cut", str(shown.path), "--from", f"{shown.session.at - before:.3f}", "-o", str(cut)]) == 0
    capsys.readouterr()
    assert replayed(cut, capsys) == shown.line


def test_who_joins_half_way_sees_the_same(shown: Shown) -> None:
    with read(shown.path) as frames:
        recorded = list(frames)
    first, second = Session(), Session()
    for place, frame in enumerate(recorded):
        first.feed(frame)
        if place == len(recorded) - 120:
            second.load(first.checkpoint())
        elif place > len(recorded) - 120:
            second.feed(frame)
    assert first.digest() == second.digest() == shown.session.digest()
