"""The example agent in real time: a real pipeline, through a real hub, into an engine.

What the caller said, and what Pipecat's own latency observer measured, is the truth that the events are held against.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from voicetop.hub import Hub, HubConfig
from voicetop.session import Session
from voicetop.sources.socket import SocketSource
from voicetop.wire.codec import Batch, Codec
from voicetop.wire.events import CallEnd, CallStart, Error, Event, Interruption, Tool, Turn, TurnStart

AGENT = Path(__file__).parents[2] / "examples" / "pipecat_local" / "agent.py"
NEEDS = ("pipecat", "pocketsphinx", "aiohttp", "onnxruntime", "openai")
MISSING = [name for name in NEEDS if importlib.util.find_spec(name) is None]
if shutil.which("espeak-ng") is None:
    MISSING.append("espeak-ng")

pytestmark = [
    pytest.mark.debian,
    pytest.mark.soak,
    pytest.mark.skipif(bool(MISSING), reason=f"a real call needs {', '.join(MISSING)}"),
]

EXPECTED_ERRORS = {
    "llm-500": ("llm", "server"),
    "tool-failure": ("tool", "application"),
    "tts-crash": ("tts", "server"),
}


BUSY_MS = 20.0
"""An agent that was never later than this ran on a machine with time for it."""


class RealCall:
    """One run of the example agent: the engine's view behind a hub, and what really happened."""

    def __init__(self, session: Session, events: list[Event], report: dict[str, Any]) -> None:
        self.session = session
        self.events = events
        self.utterances: list[str] = report["said"]
        self.measured: list[float] = report["measured_ms"]
        self.lag_ms: float = report["lag_ms"]
        call = session.engine.roster.find(report["call_id"])
        assert call is not None
        self.call = call

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]


async def real_call(folder: Path, injections: list[str], reason: str = "caller_hangup") -> RealCall:
    """Hub and console here, the agent in its own process."""
    hub = Hub(HubConfig(port=0))
    await hub.start()
    session = Session()
    events: list[Event] = []
    source = SocketSource(hub.url)

    codec = Codec()

    async def follow() -> None:
        async for frame in source.frames():
            session.feed(frame)
            for step in codec.decode(frame):
                events.extend(step.events if isinstance(step, Batch) else [])

    following = asyncio.create_task(follow())
    try:
        await until(lambda: bool(session.epoch))
        report = await run_agent(folder, hub.url, injections, reason)
        await until(lambda: any(type(event) is CallEnd for event in events))
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await hub.close()
    return RealCall(session, events, report)


async def run_agent(folder: Path, url: str, injections: list[str], reason: str) -> dict[str, Any]:
    report = folder / "report.json"
    words = ["--url", url, "--inject", ",".join(injections), "--report", str(report), "--reason", reason]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(AGENT), *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 0, output.decode()[-3000:]
    known: dict[str, Any] = json.loads(report.read_text())
    return known


async def until(condition: Callable[[], bool], within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def check_events(real: RealCall, injections: list[str]) -> None:
    """What holds for any call of the example, whatever went wrong."""
    counted = Counter(injections)
    turns = list({turn.turn: turn for turn in real.of(Turn)}.values())  # as amended
    assert [turn.turn for turn in turns] == list(range(len(real.utterances)))
    assert [turn.user_text for turn in turns] == real.utterances
    assert [start.turn for start in real.of(TurnStart)] == list(range(len(real.utterances)))
    assert len(real.of(CallStart)) == len(real.of(CallEnd)) == 1

    expected = [EXPECTED_ERRORS[name] for name in injections if name in EXPECTED_ERRORS]
    assert [(error.component, error.category) for error in real.of(Error)] == expected
    assert all(error.final for error in real.of(Error))
    assert [interruption.by for interruption in real.of(Interruption)] == ["user"] * counted["barge-in"]
    assert [tool.name for tool in real.of(Tool) if tool.state == "error"] == ["charge_card"] * counted[
        "tool-failure"
    ]

    answered = [turn for turn in turns if turn.status == "ok"]
    assert len(turns) - len(answered) == counted["llm-500"] + counted["tts-crash"]
    assert {turn.status for turn in turns} <= {"ok", "failed"}
    assert [turn.e2e_ms for turn in answered] == pytest.approx(real.measured, abs=50.0)
    for turn in answered:
        explained = sum(ms for ms in msgspec.structs.astuple(turn.latency) if ms == ms)
        if turn.additive:
            assert explained == pytest.approx(turn.e2e_ms, abs=0.1)
        else:  # time that the machine took from the agent belongs to no stage
            assert real.lag_ms > BUSY_MS
            assert turn.e2e_ms - 50.0 - 3 * real.lag_ms <= explained < turn.e2e_ms


def check_engine(real: RealCall, injections: list[str]) -> None:
    """The engine's result."""
    counted = Counter(injections)
    call = real.call
    assert (call.state, call.turns, call.barge_ins) == ("ended", len(real.utterances), counted["barge-in"])
    assert call.errors == len([name for name in injections if name in EXPECTED_ERRORS])
    assert call.wait_since == 0.0
    assert call.segments["intent"] == "booking"
    assert call.segments["language"] == "en"
    assert real.session.codec.stats.malformed == 0


@pytest.mark.timeout(120)
async def test_a_real_call_with_everything_that_goes_wrong(tmp_path: Path) -> None:
    injections = ["barge-in", "llm-500", "tool-failure", "tts-crash"]
    real = await real_call(tmp_path, injections)
    check_events(real, injections)
    check_engine(real, injections)
    [interruption] = real.of(Interruption)
    assert 500 < interruption.playout_ms < 4_000
    [end] = real.of(CallEnd)
    assert (end.reason, end.party, end.raw_reason) == ("user_hangup", "user", "caller_hangup")
    assert real.call.reason == "user_hangup"


@pytest.mark.timeout(120)
async def test_a_real_call_with_the_failures_shuffled_repeated_and_absent(tmp_path: Path) -> None:
    injections = ["tts-crash", "barge-in", "llm-500", "barge-in", "tts-crash"]
    random.shuffle(injections)
    print("injections:", injections)  # noqa: T201 - a failure wants to know
    real = await real_call(tmp_path, injections, reason="agent ended the call")
    check_events(real, injections)
    check_engine(real, injections)
    assert real.call.reason == "agent_hangup"


@pytest.mark.timeout(60)
async def test_a_real_call_in_which_nothing_goes_wrong(tmp_path: Path) -> None:
    real = await real_call(tmp_path, [], reason="")
    check_events(real, [])
    check_engine(real, [])
    assert real.call.reason == "completed"
