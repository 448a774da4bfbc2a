"""What the detectors cost on ingest: the same feed with and without them, 20,000 events a second, 1,152 segment cells.

    python benchmarks/alerts_cost.py [--rounds 9]

The feed of `engine.py` (turns alone, heartbeats every quarter second of stamp time), windows full. Chunks of 5 s of
stamp time, so that each has one mark, alternate between a session with the desk, which judges by a baseline of all the
cells, and one without.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time

import numpy as np

from engine import CELLS, FRAME, RATE, Traffic
from voicetop.alerts.alerts import Alerts
from voicetop.alerts.changes.baseline import Baseline
from voicetop.alerts.detectors.all import DetectorSet
from voicetop.engine.config import EngineConfig
from voicetop.session import Session

CHUNK = int(RATE * 5 / FRAME) + 1


class Deaf:
    """Drains the tick counters without detecting anything: folding still fills them."""

    def step(self, engine, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG002
        engine.ledger.tick_counters.__init__()
        return ()

    urgent = step

    def learning_s(self, engine, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG002
        return 0.0

    def dump(self) -> bytes:
        return b""

    def load(self, state: bytes) -> None:
        """Nothing to load."""


def baseline() -> Baseline:
    """What two weeks of this feed would have taught."""
    names = ("intent", "language", "tier", "version")
    keys = [(), *(tuple(sorted(zip(names, cell, strict=True))) for cell in CELLS)]
    turns = np.full(len(keys), 2e7)
    lines = {"e2e": 672, "stt": 520, "llm_ttft": 620, "tts_ttfb": 540}
    sums = {"turns": turns, "fault:llm:server": turns * 0.002, "fault": turns * 0.002}
    for metric in lines:
        sums |= {f"n:{metric}": turns, f"o:{metric}": turns * 0.1}
    return Baseline(keys=keys, lines=lines, redrawn=True, sums=sums, healthy_s=14 * 86_400.0)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=9)
    rounds = options.parse_args().rounds
    took: dict[str, list[float]] = {"without": [], "with": []}
    sessions = {
        "without": Session(EngineConfig(), Alerts((Deaf(),))),  # type: ignore[arg-type]
        "with": Session(EngineConfig(), Alerts((DetectorSet(baseline()),))),
    }
    traffic = Traffic(mixed=False)
    opening = traffic.opening()
    for session in sessions.values():
        for frame in opening:
            session.feed(frame)
    stream = traffic.frames()
    for number in range(rounds + 2):
        frames = list(itertools.islice(stream, CHUNK))
        for name, session in sessions.items():
            began = time.process_time()
            for frame in frames:
                session.feed(frame)
            if number >= 2:
                took[name].append(time.process_time() - began)
    without, desk = (statistics.median(took[name]) for name in ("without", "with"))
    more = statistics.median(b / a - 1 for a, b in zip(took["without"], took["with"], strict=True))
    cells = len(sessions["with"].engine.ledger.cells.ids)
    took_s = f"{without:.3f} s without detectors, {desk:.3f} s with"
    print(f"{cells} cells, {CHUNK * FRAME} events in 5 s: {took_s}: +{100 * more:.1f} %")


if __name__ == "__main__":
    main()
