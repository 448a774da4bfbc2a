"""How soon incidents are told, whose they are said to be, and how often nothing was wrong: the yardstick's score.

    python benchmarks/detection.py --calls-per-day 800 10000 --seeds 5 --seed0 2000

For each traffic, a session learns 14 healthy days; then each labelled episode runs through an ordinary headless
`Session` that judges by what was learned. What its incidents tell (`Effect`s) is written as the yardstick's alert files
and scored by it, with the placebo row: what the same alerts would have "found" on healthy days; then it is shown by
kind of incident and as multiples of the floor (`detection_rows.py`). Heartbeats come every 5 s: detectors step on marks
of 5 s and nothing else moves them. The verdict line, which has no part in it, is off.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import detection_rows
import yardstick_feed

import voicetop
from voicetop.alerts.alerts import Alerts
from voicetop.alerts.changes.baseline import Baseline
from voicetop.alerts.detectors.all import DetectorSet
from voicetop.alerts.signals import Effect
from voicetop.engine.config import EngineConfig
from voicetop.session import Session

REPO = Path(__file__).resolve().parents[1]
YARDSTICK = REPO.parent / "shared" / "yardsticks" / "incidents.py"
FAMILIES = {"errors": "error", "waiting": "latency", "intent": "intent_drift"}
SCORED = (
    "error",
    "latency",
    "success",
    "abandonment",
    "cost",
    "sentiment",
    "frustration",
    "intent_drift",
    "traffic",
)
CODE = ("alerts", "engine", "session.py", "wire")
"""What the alerts of a stream follow from: baselines are kept under a hash of it."""


def run(
    yardstick: ModuleType, sim: dict[str, Any], baseline: Baseline | None
) -> tuple[DetectorSet, list[Effect]]:
    """One stream through a session; what it learned, and what it told."""
    desk = DetectorSet(baseline)
    session = Session(EngineConfig(verdict=False), Alerts((desk,)))
    told: list[Effect] = []
    session.on_effect.append(told.append)
    truth = yardstick.truth_json(sim["truth"])
    events = yardstick_feed.told(yardstick.events(sim))
    for frame in yardstick_feed.frames(events, truth["t0"], truth["t1"]):
        session.feed(frame)
    return desk, told


def learn(path: Path, calls_per_day: int, seed0: int, days: int, kept: Path) -> Baseline:
    """The baseline of the yardstick's own healthy stream, from the folder `kept` where it was learned before."""
    mark = hashlib.blake2b(f"{calls_per_day} {seed0} {days}".encode(), digest_size=8)
    for part in [path, *_code()]:
        mark.update(part.read_bytes())
    held = kept / f"baseline-{calls_per_day}-{mark.hexdigest()}"
    if not held.exists():
        began = time.perf_counter()
        yardstick = yardstick_feed.load(path)
        sim = yardstick.simulate("healthy", calls_per_day, 7 + seed0, days, 14 - days)
        desk, told = run(yardstick, sim, None)
        held.write_bytes(desk.baseline.encode())
        fired = sum(effect.reason == "fired" for effect in told)
        _say(
            f"learned {days} days of {calls_per_day} calls in {time.perf_counter() - began:.0f} s ({fired} alerts)"
        )
    return Baseline.decode(held.read_bytes())


def _code() -> list[Path]:
    room = Path(voicetop.__file__).parent
    roots = [room / name for name in CODE]
    return sorted(
        path
        for root in roots
        for path in ([root] if root.is_file() else root.rglob("*.py"))
        if "notifiers" not in path.parts
    )


def episode(path: Path, which: tuple[str, int, int], baseline: bytes, out: Path) -> str:
    """Run one episode; writes its truth and its alerts."""
    yardstick = yardstick_feed.load(path)
    name, calls_per_day, seed = which
    sim = yardstick.episode(name, calls_per_day, seed)
    stem = f"{name}_{calls_per_day}_{seed}"
    _, told = run(yardstick, sim, Baseline.decode(baseline))
    (out / "truth" / f"{stem}.truth.json").write_text(json.dumps(yardstick.truth_json(sim["truth"])))
    lines = [json.dumps(line) for line in map(_alert, told) if line is not None]
    (out / "alerts" / f"{stem}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return stem


def _alert(effect: Effect) -> dict[str, Any] | None:
    """As the yardstick reads it; None of what it doesn't know, or what was told before."""
    family = FAMILIES.get(effect.family, effect.family)
    if effect.reason not in ("fired", "worse") or family not in SCORED:
        return None
    return {
        "t": effect.at, "family": family, "severity": effect.tier, "event": "fire", "segment": dict(effect.where),
        "rule": effect.rule, "onset": effect.onset, "blame": effect.blame,
    }  # fmt: skip


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--calls-per-day", type=int, nargs="+", default=[800, 10000])
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--seed0", type=int, default=1000)
    options.add_argument("--baseline-days", type=int, default=14)
    options.add_argument(
        "--scenarios", default="", help="some of them, by commas; all but the gradual ones otherwise"
    )
    options.add_argument("--yardstick", type=Path, default=YARDSTICK)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument(
        "--out", type=Path, help="where truth and alerts are written; a new folder otherwise"
    )
    args = options.parse_args()
    if not args.yardstick.is_file():
        options.error(f"no yardstick at {args.yardstick}: give --yardstick incidents.py")
    yardstick = yardstick_feed.load(args.yardstick)
    kinds = yardstick.SC
    names = (
        args.scenarios.split(",") if args.scenarios else [n for n in kinds if kinds[n]["kind"] != "gradual"]
    )
    out = args.out or Path(tempfile.mkdtemp(prefix="voicetop-detection-"))
    kept = Path(tempfile.gettempdir()) / "voicetop-baselines"
    for folder in (out / "truth", out / "alerts", kept):
        folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(args.processes) as pool:
        learned = {
            rate: pool.submit(learn, args.yardstick, rate, args.seed0, args.baseline_days, kept)
            for rate in args.calls_per_day
        }
        jobs = []
        for rate, waiting in learned.items():
            baseline = waiting.result().encode()
            jobs += [
                pool.submit(episode, args.yardstick, (name, rate, seed), baseline, out)
                for name in names
                for seed in range(args.seed0, args.seed0 + args.seeds)
            ]
        for number, job in enumerate(jobs, 1):
            _say(f"{number}/{len(jobs)} {job.result()}")
    yardstick.score(str(out / "truth"), str(out / "alerts"))
    detection_rows.show(yardstick, out)
    print(f"alerts: {out / 'alerts'}")


if __name__ == "__main__":
    main()
