"""The yardstick's labelled streams (`incidents.py`) as frames of the feed, for `detection.py`.

A `turn` of the yardstick appears when its reply, or its failure, was known; its caller began to wait `e2e_ms` earlier,
and that is when `turn.start` is told. Everything else is told when the yardstick says that it could be known.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from voicetop.wire import events as ev

MARK_S = 5
ERRORS = {
    "asr_timeout": ("stt", "timeout"),
    "llm_error": ("llm", "server"),
    "tool_5xx": ("tool", "server"),
    "tts_error": ("tts", "server"),
}
REASONS = {"abandoned": "user_hangup", "escalated": "transferred", "completed": "completed"}
DIMENSIONS = ("intent", "language", "tier", "version", "channel")
FRAME = 2_000
"""Events a frame holds at most."""


def load(path: Path) -> ModuleType:
    """The yardstick's module."""
    spec = importlib.util.spec_from_file_location("incidents", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(happened: Iterable[dict[str, Any]]) -> list[tuple[float, ev.AnyEvent]]:
    """The feed's events with the times at which they are told, in order."""
    made: list[tuple[float, ev.AnyEvent]] = []
    for one in happened:
        made += _KINDS[one["type"]](one)
    made.sort(key=lambda pair: pair[0])
    return made


def _start(one: dict[str, Any]) -> list[tuple[float, ev.AnyEvent]]:
    segments: dict[str, ev.Scalar] = {name: one[name] for name in DIMENSIONS}
    return [(one["t"], ev.CallStart(call_id=one["call"], ts=one["t"], segments=segments))]


def _turn(one: dict[str, Any]) -> list[tuple[float, ev.AnyEvent]]:
    t, call, turn = one["t"], one["call"], one["i"]
    began = round(t - one["e2e_ms"] / 1000, 3)
    tool = float(one["tool_ms"]) if one["tool_calls"] else ev.NAN
    failed = one["error"] is not None
    latency = ev.Latency(stt=one["asr_ms"], llm_ttft=one["llm_ttft_ms"], tts_ttfb=one["tts_ms"], tool=tool)
    made: list[tuple[float, ev.AnyEvent]] = [
        (began, ev.TurnStart(call_id=call, ts=began, turn=turn)),
        (t, ev.Audio(call_id=call, ts=t, turn=turn, role="user", speech_rate_wpm=150 + 20 * one["speech_rate_z"],
                     loudness_dbfs=-26 + 5 * one["energy_z"])),
    ]  # fmt: skip
    if failed:
        component, category = ERRORS[one["error"]]
        made.append((t, ev.Error(call_id=call, ts=t, turn=turn, component=component, category=category)))
    if one["barge_in"]:
        made.append((t, ev.Interruption(call_id=call, ts=t, turn=turn, by="user")))
    made.append(
        (t, ev.Turn(call_id=call, ts=t, turn=turn, e2e_ms=ev.NAN if failed else float(one["e2e_ms"]), latency=latency,
                    status="failed" if failed else "ok", step=one["step"]))
    )  # fmt: skip
    return made


def _end(one: dict[str, Any]) -> list[tuple[float, ev.AnyEvent]]:
    t, call = one["t"], one["call"]
    return [
        (t, ev.Usage(call_id=call, ts=t, component="platform", cost_usd=one["cost_usd"])),
        (t, ev.CallEnd(call_id=call, ts=t, reason=REASONS[one["outcome"]], step=one["last_step"])),
    ]


def _judged(one: dict[str, Any]) -> list[tuple[float, ev.AnyEvent]]:
    t, success, sentiment = one["t"], one["success"], float(one["sentiment"])
    return [
        (
            t,
            ev.CallOutcome(
                call_id=one["call"], ts=t, evaluator="judge", success=success, sentiment=sentiment
            ),
        )
    ]


def _deploy(one: dict[str, Any]) -> list[tuple[float, ev.AnyEvent]]:
    label = f"deploy {one['version']}"
    return [(one["t"], ev.Marker(ts=one["t"], kind="deploy", label=label, version=one["version"]))]


_KINDS = {"call_start": _start, "turn": _turn, "call_end": _end, "eval": _judged, "deploy": _deploy}


def frames(events: list[tuple[float, ev.AnyEvent]], start: float, stop: float) -> Iterator[bytes]:
    """Wire frames from `start` to `stop` (epoch s) with a heartbeat on each mark; what is later is not told."""
    seq, mark = 0, start + MARK_S
    held: list[ev.AnyEvent] = []
    stamps: list[tuple[float, int]] = []
    for t, event in [*(pair for pair in events if start <= pair[0] < stop), (stop, None)]:
        while t >= mark and mark <= stop:
            held.append(ev.Heartbeat(ts=mark, seq=seq + len(held)))
            stamps.append((mark, 1))
            mark += MARK_S
        if event is not None:
            held.append(event)
            stamps.append((t, 1))
        if len(held) >= FRAME or event is None:
            yield _frame(seq + 1, stamps, held)
            seq += len(held)
            held, stamps = [], []


def _frame(seq: int, stamps: list[tuple[float, int]], events: list[ev.AnyEvent]) -> bytes:
    parts = {"type": "batch", "seq": seq, "at": stamps, "events": events}
    return msgspec.json.encode(parts)
