"""Recorded Pipecat calls as records for `PipecatCall`, from the frames and observers of `pipecat_raw.jsonl.gz`.

The dumps lack LLM texts and audio, and they hold every frame in both directions: the copies are left in, so that the
call must recognise them without sibling ids.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voicetop.adapters.pipecat.call import CallFacts, PipecatCall
from voicetop.wire.events import Event

Record = tuple[str, float, dict[str, Any]]


def shared_folder() -> Path:
    """The path of the real data; tests that need it are skipped without it."""
    return Path(os.environ.get("VOICETOP_SHARED") or Path(__file__).parents[4] / "shared")


def raw_rows() -> list[dict[str, Any]]:
    path = shared_folder() / "data" / "frameworks" / "pipecat_raw.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no recorded Pipecat calls at {path}")
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def records_of(rows: list[dict[str, Any]]) -> list[Record]:
    """The records of one call, in order; a breakdown comes before the first audio that it explains."""
    records: list[Record] = []
    for row in rows:
        if row["source"] == "frame":
            frame = row["frame"]
            if frame.get("broadcast_sibling_id") and row["direction"] == "UPSTREAM":
                continue
            records += _frame_records(row["event"], row["t"], frame, row["src"])
        elif row["event"] == "on_latency_breakdown":
            at = max(index for index, record in enumerate(records) if record[0] == "bot_start")
            records.insert(at, _breakdown(row["t"], row["args"][0]))
    return [*records, ("over", rows[-1]["t"], {})]


def _breakdown(at: float, args: dict[str, Any]) -> Record:
    parts = [(part["key"], part["duration_secs"]) for part in args["contributions"]]
    return "breakdown", at, {"contributions": parts, "measured_from": args["measured_from"]}


_PLAIN = {
    "ClientConnectedFrame": "connected",
    "UserStartedSpeakingFrame": "user_turn_start",
    "UserStoppedSpeakingFrame": "user_turn_stop",
    "BotStartedSpeakingFrame": "bot_start",
    "BotStoppedSpeakingFrame": "bot_stop",
    "InterruptionFrame": "interruption",
    "LLMFullResponseEndFrame": "llm_end",
}


def _frame_records(kind: str, at: float, frame: dict[str, Any], source: str) -> Iterator[Record]:  # noqa: C901, PLR0912
    if kind in _PLAIN:
        yield _PLAIN[kind], at, {}
    elif kind == "VADUserStartedSpeakingFrame":
        yield "user_speech_start", frame["timestamp"], {"start_secs": frame["start_secs"]}
    elif kind == "VADUserStoppedSpeakingFrame":
        yield "user_speech_stop", frame["timestamp"], {"stop_secs": frame["stop_secs"]}
    elif kind == "TranscriptionFrame":
        yield "transcript", at, {"text": frame["text"], "language": frame["language"], "processor": source}
    elif kind == "LLMFullResponseStartFrame":
        yield "llm_start", at, {"processor": source}
    elif kind == "TTSStartedFrame":
        yield "tts_start", at, {"processor": source, "context": frame["context_id"]}
    elif kind == "FunctionCallInProgressFrame":
        arguments = json.dumps(frame["arguments"])
        yield (
            "tool_start",
            at,
            {"call": frame["tool_call_id"], "name": frame["function_name"], "arguments": arguments},
        )
    elif kind == "FunctionCallResultFrame":
        yield "tool_end", at, {"call": frame["tool_call_id"], "error": frame["error"] or ""}
    elif kind == "ErrorFrame":
        category = str(frame["category"]).removeprefix("ErrorCategory.").lower()
        yield "error", at, {"message": frame["error"], "processor": frame["processor"], "category": category}
    elif kind == "EndFrame":
        yield "end", at, {"how": "end", "reason": frame["reason"] or ""}
    elif kind == "MetricsFrame":
        for metric in frame["data"]:
            yield from _metric_records(at, metric)


def _metric_records(at: float, metric: dict[str, Any]) -> Iterator[Record]:
    where = {"processor": metric["processor"], "model": metric.get("model") or ""}
    if metric["type"] == "TTFBMetricsData":
        yield "ttfb", at, {"seconds": metric["value"], **where}
    elif metric["type"] == "LLMUsageMetricsData":
        value = metric["value"]
        tokens = {"input_tokens": value["prompt_tokens"], "output_tokens": value["completion_tokens"]}
        yield "usage", at, {**tokens, **where}
    elif metric["type"] == "TTSUsageMetricsData":
        yield "usage", at, {"characters": metric["value"], **where}
    elif metric["type"] == "STTUsageMetricsData":
        yield "usage", at, {"audio_s": metric["value"]["audio_seconds"], **where}


def events_of(records: list[Record], call_id: str = "c", **facts: Any) -> list[Event]:
    """The events of a call with these records."""
    call = PipecatCall(CallFacts(call_id, **facts))
    return [event for kind, at, fields in records for event in call.handle(kind, at, **fields)]
