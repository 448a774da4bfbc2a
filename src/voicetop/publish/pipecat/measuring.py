"""What can be measured of a call's frames: the parts of a response time, and how loud the caller is."""

from __future__ import annotations

import math
from typing import Any

from pipecat.observers.user_bot_latency_observer import LatencyBreakdown, UserBotLatencyObserver

from voicetop.clock import Clock
from voicetop.wire.events import NAN

EVERY_NTH_SAMPLE = 8


class ResponseTime(UserBotLatencyObserver):
    """Pipecat's own latency breakdown, read at its source: event handlers would run in tasks, too late."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(time_source=clock.time)
        self._breakdown: LatencyBreakdown | None = None

    async def _call_event_handler(self, event_name: str, *args: Any, **_kwargs: Any) -> None:
        if event_name == "on_latency_breakdown":
            self._breakdown = args[0]

    def take(self) -> LatencyBreakdown | None:
        breakdown, self._breakdown = self._breakdown, None
        return breakdown


class Loudness:
    """Mean power of 16-bit PCM while the caller speaks, from every eighth sample: a few µs a frame, without numpy."""

    def __init__(self) -> None:
        self._is_on = False
        self._sum = self._count = 0

    def begin(self) -> None:
        if not self._is_on:
            self._is_on, self._sum, self._count = True, 0, 0

    def add(self, pcm: bytes) -> None:
        if self._is_on:
            samples = memoryview(pcm)[: len(pcm) // 2 * 2].cast("h")[::EVERY_NTH_SAMPLE]
            self._sum += sum([sample * sample for sample in samples])
            self._count += len(samples)

    def end(self) -> float:
        """dBFS, where 0 is a full-scale square wave; NaN without samples."""
        self._is_on = False
        if not self._sum:
            return NAN
        return round(10.0 * math.log10(self._sum / self._count / 32768.0**2), 1)
