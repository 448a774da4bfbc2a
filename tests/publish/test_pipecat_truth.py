"""A real pipeline's events against the agent's own log of what was said, when audio left and which tool ran."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import astuple

from voicetop.wire.events import (
    AnyEvent,
    CallEnd,
    Event,
    Interruption,
    Latency,
    Service,
    Tool,
    Transcript,
    Turn,
    TurnStart,
)

NEEDS = ("pipecat", "aiohttp", "openai", "onnxruntime")
MISSING = [name for name in NEEDS if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(MISSING), reason=f"a real pipeline needs {', '.join(MISSING)}"),
]

CLOSE_S = 0.1
"""Events are this close to the log, plus how late the process itself was at worst; usually a quarter of it."""

HOUSE = (
    "It is a quiet house by the river.",
    "It has a terrace.",
    "You can see the hills from there, and the old town with its towers, and in summer the swallows above the roofs.",
)
GARDEN = (
    "There is an old garden.",
    "It has many apple trees, two pears, a very long wall along the river, and at its far end a small pond with frogs.",
    "Nobody has ever counted them.",
)


class Entry(Struct):
    """Of the agent's log."""

    what: str
    text: str
    begin: float
    end: float | None = None
    how: str = ""


class Log(Struct):
    entries: list[Entry]


class Report(Struct):
    events: dict[str, list[AnyEvent]]
    logs: dict[str, Log]
    lag_s: float


class Call:
    """One call's events and its agent's log."""

    def __init__(self, events: list[AnyEvent], log: Log, lag_s: float) -> None:
        self.events, self._log = events, log
        self.close_s = CLOSE_S + 3 * lag_s

    def log(self, what: str) -> list[Entry]:
        return [entry for entry in self._log.entries if entry.what == what]

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    @property
    def turns(self) -> list[Turn]:
        """As amended."""
        turns: dict[int, Turn] = {}
        for turn in self.of(Turn):
            assert turn.turn not in turns or turn.ts == turns[turn.turn].ts
            turns[turn.turn] = turn
        return [turns[index] for index in sorted(turns)]

    def waited_ms(self, answer: str) -> float:
        """From the last voice that was detected before this answer to its first audio."""
        begun = next(each.begin for each in self.log("audio") if each.text == answer)
        ends = [each.end for each in self.log("voice") if each.end is not None and each.end < begun]
        return (begun - max(ends)) * 1000.0


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Call]:
    """All of them at once, in one other process."""
    folder = tmp_path_factory.mktemp("agent")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "publish.local_conversations", str(folder / "report.json")]
    agent = subprocess.run(command, env=environment, capture_output=True, timeout=280, check=False)
    assert agent.returncode == 0, agent.stderr.decode()[-3000:]
    report = msgspec.json.decode((folder / "report.json").read_bytes(), type=Report)
    return {name: Call(events, report.logs[name], report.lag_s) for name, events in report.events.items()}


TURNS: dict[str, list[tuple[str, str, tuple[str, ...], bool]]] = {
    "everything": [
        ("", "noise", (), False),
        ("tell me about the house", "ok", HOUSE, False),
        ("what does it cost now", "ok", ("It costs ten.",), False),
        ("please book it for me", "ok", ("That did not work.",), False),
        ("tell me about the garden", "ok", GARDEN[:2], True),
        ("stop it right now", "ok", ("All right.",), False),
        ("look it up for me", "ok", ("It took too long.",), False),
    ],
    "over": [
        ("find the other one please", "cancelled", (), False),
        ("forget about that one", "ok", ("Fine.",), False),
        ("i have a very long story to tell you", "ok", ("I see.",), False),
        ("and then it went on", "ok", ("Go on.",), False),
    ],
    "no-vad": [
        ("what does it cost now", "ok", ("It costs ten.",), False),
        ("tell me about the garden", "ok", GARDEN[:2], True),
        ("stop it right now", "ok", ("All right.",), False),
    ],
    "smart": [
        ("i would like a table for two", "ok", ("Done.",), False),
        ("tell me about the house", "ok", HOUSE[:2], True),
        ("stop it right now", "ok", ("All right.",), False),
    ],
    "vain": [("keep me waiting please", "no_reply", (), False)],
}


@pytest.mark.parametrize("name", TURNS)
def test_each_turn_has_what_was_said_by_both(calls: dict[str, Call], name: str) -> None:
    turns = calls[name].turns
    assert [(turn.user_text, turn.status, turn.agent_text, turn.interrupted) for turn in turns] == [
        (said, status, " ".join(answer), cut) for said, status, answer, cut in TURNS[name]
    ]
    assert [turn.turn for turn in turns] == list(range(len(turns)))


@pytest.mark.parametrize("name", TURNS)
def test_nothing_is_told_that_did_not_leave_the_loudspeaker(calls: dict[str, Call], name: str) -> None:
    played = {entry.text for entry in calls[name].log("audio")}
    answers = {sentence for _, _, answer, _ in TURNS[name] for sentence in answer}
    assert answers <= played
    assert "This is never heard." not in played
    assert not any("This is never heard." in turn.agent_text for turn in calls[name].turns)


@pytest.mark.parametrize("name", TURNS)
def test_each_reply_is_dated_when_its_audio_left(calls: dict[str, Call], name: str) -> None:
    call = calls[name]
    audio = call.log("audio")
    for turn, (_, status, answer, _) in zip(call.turns, TURNS[name], strict=True):
        if status == "ok":
            begun = next(entry.begin for entry in audio if entry.text == answer[0])
            assert turn.ts == pytest.approx(begun, abs=call.close_s)


@pytest.mark.parametrize("name", TURNS)
def test_response_times_are_those_of_the_log(calls: dict[str, Call], name: str) -> None:
    call = calls[name]
    for turn, (_, status, answer, _) in zip(call.turns, TURNS[name], strict=True):
        if status == "ok" and turn.measured_from == "vad_stop":
            assert turn.e2e_ms == pytest.approx(call.waited_ms(answer[0]), abs=call.close_s * 1000)
        stages = sum(ms for ms in astuple(turn.latency or Latency()) if ms == ms)
        assert stages == pytest.approx(turn.e2e_ms, abs=0.1) if turn.additive else not stages


@pytest.mark.parametrize("name", TURNS)
def test_each_tool_runs_and_ends_in_the_turn_that_asked_for_it(calls: dict[str, Call], name: str) -> None:
    call = calls[name]
    ends = [tool for tool in call.of(Tool) if tool.state != "start"]
    states = {"ok": ("ok",), "error": ("error",), "cancelled": ("cancelled", "timeout")}
    for tool, entry in zip(ends, call.log("tool"), strict=True):
        [start] = [each for each in call.of(Tool) if each.state == "start" and each.turn == tool.turn]
        assert (tool.name, start.name) == (entry.text, entry.text)
        assert tool.state in states[entry.how]
        assert start.ts == pytest.approx(entry.begin, abs=call.close_s)
        assert tool.ts == pytest.approx(entry.end, abs=call.close_s)


def test_a_cough_is_soon_known_to_be_noise(calls: dict[str, Call]) -> None:
    call = calls["everything"]
    cough = next(entry for entry in call.log("caller") if entry.text == "[cough]")
    assert cough.end is not None
    assert call.turns[0].ts - cough.end < 2.0 + call.close_s


def test_a_tool_that_hangs_times_out_and_one_cut_off_by_the_caller_is_cancelled(
    calls: dict[str, Call],
) -> None:
    states = {tool.name: tool.state for call in calls.values() for tool in call.of(Tool)}
    assert states == {"work": "ok", "die": "error", "hang": "timeout", "stall": "cancelled"}


@pytest.mark.parametrize(
    ("name", "interruptions"),
    [
        ("everything", [(1, "user", True), (4, "user", False)]),
        ("over", [(2, "agent", False)]),
        ("no-vad", [(1, "user", False)]),
        ("smart", [(1, "user", False)]),
        ("vain", []),
    ],
)
def test_interruptions_and_backchannels(calls: dict[str, Call], name: str, interruptions: list[Any]) -> None:
    told = [(each.turn, each.by, each.backchannel) for each in calls[name].of(Interruption)]
    assert told == interruptions


@pytest.mark.parametrize("name", TURNS)
def test_a_waiting_callers_words_are_told_before_the_reply(calls: dict[str, Call], name: str) -> None:
    call = calls[name]
    for turn in call.turns:
        words = [each for each in call.of(Transcript) if each.turn == turn.turn and each.final]
        assert " ".join(each.text for each in words) == turn.user_text
        assert all(each.role == "user" and each.ts < turn.ts for each in words)
        assert any(start.turn == turn.turn for start in call.of(TurnStart))


def test_the_model_is_the_one_that_answered(calls: dict[str, Call]) -> None:
    services = [service for call in calls.values() for service in call.of(Service)]
    assert {service.model for service in services if service.component == "llm"} == {
        "stub-mini-2026-07-18",
        "shadow-model",
    }
    assert {service.model for service in services if service.component != "llm"} == {""}


def test_each_call_ends_once(calls: dict[str, Call]) -> None:
    ends = {name: [end.reason for end in call.of(CallEnd)] for name, call in calls.items()}
    assert ends == {name: ["cancelled" if name == "vain" else "user_hangup"] for name in TURNS}
