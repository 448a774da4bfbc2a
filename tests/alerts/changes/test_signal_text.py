"""An alarm in figures that people know: in its unit, against its normal, and in which stage it lies."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.planted import START as LEARNED
from alerts.planted import baseline
from engine.feeding import Line
from voicetop.alerts.changes.alarms import Alarm
from voicetop.alerts.changes.signal_text import AttributedChange, signal_of
from voicetop.alerts.changes.streams import MonitoredRate, of_kinds
from voicetop.alerts.incident_text import blame_line
from voicetop.alerts.signals import Signal
from voicetop.engine.windows.buckets import bucket_of
from voicetop.engine.windows.histograms import METRIC
from voicetop.wire.events import Latency, Turn

STREAMS = {
    stream.name: stream
    for stream in of_kinds(
        ["x:cost", "cost", "x:sentiment", "sentiments", "x:loud", "v:loud", "x:rate", "v:rate", "n:e2e", "n:llm_ttft",
         "started", "expected"]
    )
}  # fmt: skip


def told(name: str, came: float, expected: float, trials: float, line: Line | None = None) -> Signal:
    """The signal of an alarm on one stream; normal turns take 1 s, 400 ms of it in the LLM and 200 ms in the TTS."""
    stream: MonitoredRate = STREAMS[name]
    known = baseline()
    for metric, usual in (("e2e", 1000.0), ("llm_ttft", 400.0), ("tts_ttfb", 200.0)):
        known.times[METRIC[metric], bucket_of(np.array([usual]))[0]] = 1000.0
    alarm = Alarm(
        family=stream.family,
        stream=name,
        onset=LEARNED,
        since=LEARNED,
        came=came,
        expected=expected,
        trials=trials,
    )
    return signal_of(alarm, stream, (line or Line()).session.engine, AttributedChange(), known)


def slow(turns: int) -> Line:
    """Turns that take 2 s: 1.2 s of them in the LLM and 300 ms in the TTS."""
    line = Line()
    line.begin("a")
    for turn in range(turns):
        line.tell(Turn, "a", turn=turn, e2e_ms=2000.0, latency=Latency(llm_ttft=1200.0, tts_ttfb=300.0))
    line.pass_(1)
    return line


def test_a_slow_reply_is_told_as_a_p95_with_the_stage_that_it_lies_in() -> None:
    signal = told("latency.e2e", 24, 4, 24, slow(24))
    assert (
        blame_line(signal)
        == "P95 response 2,008 ms (2.0× normal 1,004 ms, n 24) · 80 % in LLM · all segments · 20 calls"
    )


def test_of_few_turns_it_says_how_many_are_over_which_line() -> None:
    assert told("latency.e2e", 8, 2, 10, slow(3)).text.startswith("turns with response time over ")
    assert "80.0 % (4.0× normal 20.0 %)" in told("latency.e2e", 8, 2, 10, slow(3)).text


@pytest.mark.parametrize(
    ("name", "came", "expected", "text"),
    [
        ("sentiment", 1500, 1100, "sentiment 3.5 (normal 3.9)"),
        ("frustration.loudness", -200000, -260000, "callers' loudness −20.0 dBFS (normal −26.0 dBFS)"),
        ("frustration.rate", 17100, 15000, "callers' speech rate 171 words per minute (1.1× normal 150 words per minute)"),  # noqa: E501
        ("traffic", 9, 23, "calls arriving 9 (0.4× normal 23)"),
    ],
)  # fmt: skip
def test_each_figure_is_in_its_own_unit(name: str, came: float, expected: float, text: str) -> None:
    assert told(name, came, expected, 10 if name == "sentiment" else 100).text == text
