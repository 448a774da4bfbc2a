"""The verdict of simulated fleets against the simulator's own schedule: what was said, how soon, and how truly.

    python benchmarks/verdict.py --seeds 101:111 --incidents llm_outage,seg_errors

A run: six hours of history, the incident after 2½ minutes, for 8 minutes, and 7 minutes after it, at an hour and with
a number of calls that depend on the seed. The verdict is read every 5 seconds, as a console shows it. Every sudden
incident has a deploy that changes nothing within 10 minutes of its start: naming it would be wrong. Seconds; "median,
P90" unless a count says of how many. A night is a fleet whose calls follow the hours of the day, at 3 o'clock. What
was said in runs that fell short goes to stderr.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from truth.schedule import HEALTHY, SEGMENT, SEGMENTS, SUDDEN, Watched, watched
from voicetop.simulator import FleetConfig, SimulatedIncident

MIDNIGHT = 1_764_460_800.0
LEAD_S, LASTS_S, AFTER_S = 150.0, 480.0, 420.0
HEAD = (
    "| incident | not OK | DOWN | OK after 3 min | flips | RECOVERING | OK | onset off by | moved forward | part"
    " | segment | deploy named |"
)
HEALTHY_HEAD = "| nothing is wrong | hours | minutes not OK |"


def config(name: str, seed: int, calls: int) -> FleetConfig:
    """A fleet with one incident; `calls` of 0: 120 to 200, by the seed."""
    night = name == "night"
    incidents = (
        [] if night else [SimulatedIncident(name, LEAD_S, 45.0 if name == "latency_blip" else LASTS_S)]
    )
    if name in SUDDEN:
        deployed = LEAD_S + random.Random(f"{name} {seed}").uniform(-600, 600)
        incidents.append(SimulatedIncident("deploy_noop", deployed))
    hour = 3.0 if night else seed * 5.37 % 24
    return FleetConfig(
        start=MIDNIGHT + 3_600 * hour + 0.123 * seed,
        seed=seed,
        calls=calls or 120 + seed * 37 % 81,
        traffic="day" if night else "now",
        history=6 * 3_600.0,
        old_calls=200,
        incidents=tuple(incidents),
    )


def run(name: str, seed: int, calls: int) -> Watched:
    return watched(config(name, seed, calls), LEAD_S + LASTS_S + AFTER_S)


def _typical(values: Iterable[float]) -> str:
    """Median and P90."""
    ranked = sorted(values)
    p90 = ranked[math.ceil(0.9 * len(ranked)) - 1]
    return f"{_number(statistics.median(ranked))}, {_number(p90)}"


def _number(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "never"


def _count(seen: list[Watched], true: Callable[[Watched], bool]) -> str:
    return f"{sum(map(true, seen))} of {len(seen)}"


def row(name: str, seen: list[Watched]) -> str:
    """One incident of the table."""
    part = SUDDEN.get(name) or SEGMENTS[name]
    where = SEGMENT if name in SEGMENTS else ()
    downs = [one.down for one in seen if math.isfinite(one.down)]
    onsets = [abs(one.onset) if math.isfinite(one.onset) else math.inf for one in seen]
    cells = [
        name,
        _typical(one.found for one in seen),
        f"{_typical(downs)} ({len(downs)})" if downs else "–",
        f"{sum(one.late_ok > 0 for one in seen)}",
        f"{sum(one.flips > 0 for one in seen)}",
        _typical(one.recovering for one in seen),
        _typical(one.ok for one in seen),
        _typical(onsets),
        f"{sum(one.moved > 0.01 for one in seen)}",
        _count(seen, lambda one: part in one.parts),
        _count(seen, lambda one: tuple(sorted(one.segment)) == where) if where else "–",
        _count(seen, lambda one: bool(one.deploys)),
    ]
    return f"| {' | '.join(cells)} |"


def healthy_row(name: str, seen: list[Watched]) -> str:
    hours = len(seen) * (LEAD_S + LASTS_S + AFTER_S) / 3_600
    return f"| {name} | {hours:.1f} | {sum(one.not_ok_s for one in seen) / 60:.1f} |"


def _wrong(name: str, seed: int, one: Watched) -> str:
    """What an engineer wants to look at: the story of a run that fell short."""
    if name in HEALTHY:
        short = one.not_ok_s > 0
    else:
        short = (
            one.flips > 0
            or one.late_ok > 0
            or one.recovering > 60
            or one.ok > 330
            or not abs(one.onset) < 180
        )
    return f"{name}, seed {seed}, onset {one.onset:.0f}\n{one}\n\n" if short else ""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--seeds", default="101:111", help="from, and up to but not including")
    options.add_argument("--incidents", default=",".join((*SUDDEN, *SEGMENTS, *HEALTHY)))
    options.add_argument("--calls", type=int, default=0, help="live calls; 120 to 200 by the seed otherwise")
    options.add_argument("--processes", type=int, default=2)
    args = options.parse_args()
    names = args.incidents.split(",")
    seeds = range(*map(int, args.seeds.split(":")))
    with ProcessPoolExecutor(args.processes) as pool:
        jobs = {name: [pool.submit(run, name, seed, args.calls) for seed in seeds] for name in names}
        head = ""
        for name in names:
            seen = [job.result() for job in jobs[name]]
            for seed, one in zip(seeds, seen, strict=True):
                print(_wrong(name, seed, one), end="", file=sys.stderr)
            new = HEALTHY_HEAD if name in HEALTHY else HEAD
            if new != head:
                print(f"{new}\n{'|---' * (new.count('|') - 1)}|")
                head = new
            print(healthy_row(name, seen) if name in HEALTHY else row(name, seen), flush=True)


if __name__ == "__main__":
    main()
