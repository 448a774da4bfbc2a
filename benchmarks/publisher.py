"""What publishing costs the thread of an agent: building a turn event and emitting it, against json.dumps of the same.

    python benchmarks/publisher.py

A hub runs in a process of its own. Events come as in life, some at a time with pauses, so that the publisher's thread
wakes, encodes and sends in between and takes its share of the interpreter; then once as fast as they can be made.
Goal: at most 20 µs of the agent's thread for each event.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec

from voicetop.publish import Publisher
from voicetop.wire.events import Latency, Turn

GOAL_US = 20.0
ROUNDS = 400
AT_A_TIME = 10
PAUSE_S = 0.005
BURST = 50_000

HUB = """
import asyncio
from voicetop.hub import Hub, HubConfig
async def main():
    hub = Hub(HubConfig(port=0))
    await hub.start()
    print(hub.url, flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


def turn(number: int) -> Turn:
    """A turn as an adapter makes it: about 600 bytes of JSON."""
    return Turn(
        call_id="call-7f3a",
        ts=1_760_000_000.0 + number,
        turn=number % 20,
        e2e_ms=1203.045,
        measured_from="vad_stop",
        latency=Latency(
            vad=200.0, stt=168.75, eou=340.68, llm_ttft=308.14, aggregation=64.7, tts_ttfb=114.4, output=6.4
        ),
        additive=True,
        user_text="I would like a table for two people tonight, close to the window if there is one",
        agent_text="Yes, there is one at seven in the evening. It is quiet there. Shall I book it for you?",
    )


def costs(work: Callable[[int], Any]) -> list[float]:
    """Microseconds of wall time that each event took from this thread, in life's rhythm."""
    took = []
    for round_ in range(ROUNDS):
        for number in range(AT_A_TIME):
            began = time.perf_counter_ns()
            work(round_ * AT_A_TIME + number)
            took.append((time.perf_counter_ns() - began) / 1000.0)
        time.sleep(PAUSE_S)
    return took


def tell(name: str, took: list[float]) -> float:
    median = statistics.median(took)
    print(f"{name:42} median {median:7.2f} µs   P99 {statistics.quantiles(took, n=100)[98]:7.2f} µs")
    return median


def burst(publisher: Publisher) -> float:
    """Microseconds of this thread's own CPU time per event, as fast as they can be made."""
    began = time.thread_time_ns()
    for number in range(BURST):
        publisher.emit(turn(number))
    return (time.thread_time_ns() - began) / 1000.0 / BURST


def main() -> int:
    hub = subprocess.Popen([sys.executable, "-c", HUB], stdout=subprocess.PIPE, text=True)
    try:
        assert hub.stdout is not None
        publisher = Publisher(hub.stdout.readline().strip(), source="benchmark")
        while not publisher.report.connected:
            time.sleep(0.01)
        plain = msgspec.to_builtins(turn(0))
        dumped = tell("json.dumps of the same", costs(lambda _: json.dumps(plain)))
        ready = turn(0)
        emitted = tell("emit", costs(lambda _: publisher.emit(ready)))
        both = tell("build the event and emit it", costs(lambda number: publisher.emit(turn(number))))
        print(f"{'in a burst, CPU of this thread':42} mean   {burst(publisher):7.2f} µs")
        print(f"emit / json.dumps {emitted / dumped:.2f}, build and emit / json.dumps {both / dumped:.2f}")
        print(f"goal: at most {GOAL_US:g} µs: {'reached' if both <= GOAL_US else 'missed'}")
        publisher.close()
        return 0 if both <= GOAL_US else 1
    finally:
        hub.terminate()
        hub.wait()


if __name__ == "__main__":
    raise SystemExit(main())
