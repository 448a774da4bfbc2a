"""100,000 live calls through a real hub into a console's engine: nothing lost, memory flat.

    python benchmarks/scale.py [--calls 100000] [--seconds 60] [--full 5] [--old-calls 50000] [--lead 180]

Four processes: `voicetop serve`; a simulated fleet, which tells a day (the time before the last `--full` minutes
thinned to `--old-calls` calls) and then lives; a console, that is a LiveFeed with a SocketSource, asked in turn for
Overview and Calls pictures four times a second, with the screen's modules imported; and this one, which looks on.
The console joins with the hub's checkpoint shortly before the live phase.

100,000 calls tell some 25,000 events/s. Lost is what the hub didn't get or the console didn't fold: the numbers of
the hub's stamps are compared with what was sent and with what was counted. Lag runs from an event's stamp in the hub to
its batch being folded by the console. Goals: no event lost, at most 800 MB of RSS and flat.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing as mp
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

JOIN_BEFORE_S = 25.0
SAMPLE_S = 10.0
TICK = os.sysconf("SC_CLK_TCK")


# The fleet.


def run_fleet(pipe: Connection, url: str, args: argparse.Namespace) -> None:
    from voicetop.simulator import Fleet, FleetConfig
    from voicetop.simulator.pump import pump

    start = time.time() + args.lead
    pipe.send(start)
    config = FleetConfig(
        start=start,
        calls=args.calls,
        history=86_400.0,
        full=60.0 * args.full,
        old_calls=args.old_calls,
    )
    sent = asyncio.run(pump(url, None, Fleet(config), duration=args.seconds + 5.0))
    pipe.send((sent.events, sent.connections))


# The console.


def run_console(pipe: Connection, url: str) -> None:  # noqa: C901, PLR0915
    import voicetop.ui.app  # noqa: F401 - what the screen imports is part of a console's memory
    from voicetop.engine.engine import Engine
    from voicetop.engine.snapshot import View
    from voicetop.live import LiveFeed
    from voicetop.session import Session
    from voicetop.sources.socket import SocketSource

    lags: list[float] = []
    joined: dict[str, Any] = {}
    pictures: dict[str, list[float]] = {"Overview": [], "Calls": []}
    apply, snapshot, load = Engine.apply, Session.snapshot, Session.load

    def timed_apply(engine: Engine, batch: Any) -> None:
        apply(engine, batch)
        lags.append(time.time() - batch.at[-1])

    def timed_snapshot(session: Session, view: View) -> Any:
        began = time.perf_counter()
        made = snapshot(session, view)
        pictures["Calls" if view.limit == 50 else "Overview"].append(time.perf_counter() - began)
        joined["session"] = session
        return made

    def timed_load(session: Session, state: bytes) -> None:
        began = time.perf_counter()
        load(session, state)
        joined["load"], joined["state"] = time.perf_counter() - began, len(state)
        joined["times"] = joined.get("times", 0) + 1
        joined["seq"], joined["events"] = session.seq, session.codec.stats.events

    Engine.apply, Session.snapshot, Session.load = timed_apply, timed_snapshot, timed_load  # type: ignore[method-assign, assignment]
    feed = LiveFeed(lambda: (SocketSource(url), None))
    began = time.monotonic()
    feed.start()
    while feed.latest is None or "load" not in joined:
        time.sleep(0.05)
        if feed.error:
            raise SystemExit(feed.error)
    pipe.send((time.monotonic() - began, joined["load"], joined["state"]))
    views = [View(limit=12), View(sort="e2e", limit=50), View(span="24h", limit=12), View(limit=50)]
    turn = 0
    while True:
        if pipe.poll(0.25):
            if pipe.recv() == "begin":
                lags.clear()
                for times in pictures.values():
                    times.clear()
                continue
            break
        feed.ask(views[turn % len(views)])
        turn += 1
    before = feed.frames
    while time.sleep(0.5) or feed.frames - before > 20:  # the fleet has ended: what is on its way comes in
        before = feed.frames
    session = joined["session"]
    seen = feed.latest.feed
    pipe.send(
        {
            "seq": session.seq,
            "stamps": session.seq - joined["seq"],
            "folded": session.codec.stats.events - joined["events"],
            "joined": joined["times"],
            "gaps": seen.gaps,
            "missed": seen.missed,
            "malformed": seen.malformed,
            "duplicates": seen.duplicates,
            "late": seen.late,
            "live": feed.latest.capacity.live,
            "cells": seen.cells,
            "lags": percentiles(lags),
            "pictures": {name: (len(times), *percentiles(times)) for name, times in pictures.items()},
        }
    )
    pipe.recv()
    feed.close()


def percentiles(values: list[float]) -> tuple[float, float, float]:
    """P50, P99, greatest."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))], ordered[-1]


# What is seen from outside.


def memory(pid: int) -> tuple[float, float]:
    """(VmRSS, PSS) in MB."""
    rss = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    pss = re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    assert rss
    assert pss
    return int(rss[1]) * 1024 / 1e6, int(pss[1]) * 1024 / 1e6


def cpu(pid: int) -> float:
    """Seconds of CPU so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def health(url: str) -> Any:
    try:
        with urllib.request.urlopen(url.replace("ws://", "http://") + "/healthz", timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SystemExit(f"the hub isn't well: {error.read().decode()}") from None


def start_hub() -> tuple[subprocess.Popen[str], str]:
    hub = subprocess.Popen(
        [sys.executable, "-m", "voicetop", "serve", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert hub.stderr
    found = re.search(r"ws://\S+:\d+", hub.stderr.readline())
    assert found
    return hub, found[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000, help="live at once")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the live phase")
    parser.add_argument("--full", type=float, default=5.0, help="minutes of the history told call by call")
    parser.add_argument("--old-calls", type=int, default=50_000, help="calls told of the day before that")
    parser.add_argument("--lead", type=float, default=180.0, help="seconds given to the history")
    args = parser.parse_args()
    hub, url = start_hub()
    context = mp.get_context("spawn")
    fleet_end, fleet_pipe = context.Pipe()
    console_end, console_pipe = context.Pipe()
    fleet = context.Process(target=run_fleet, args=(fleet_pipe, url, args), daemon=True)
    fleet.start()
    start = fleet_end.recv()
    wait_until(start - JOIN_BEFORE_S, lambda: told(url))
    console = context.Process(target=run_console, args=(console_pipe, url), daemon=True)
    console.start()
    assert console.pid
    assert fleet.pid
    join_s, load_s, state = console_end.recv()
    print(
        f"joined in {join_s:.1f} s, of which {load_s:.1f} s for the state of {state / 1e6:.1f} MB", flush=True
    )
    wait_until(start + 1.0, lambda: told(url))
    console_end.send("begin")
    pids = {"hub": hub.pid, "console": console.pid, "fleet": fleet.pid}
    samples = watch(args.seconds, pids, url)
    sent, connections = fleet_end.recv()
    console_end.send("end")
    of_console = console_end.recv()
    of_hub = health(url)
    console_end.send("bye")
    report(samples, sent, connections, of_hub, of_console)
    hub.terminate()
    hub.wait(20)


def wait_until(moment: float, say: Callable[[], None]) -> None:
    while time.time() < moment:
        time.sleep(min(10.0, max(0.0, moment - time.time())))
        say()


def told(url: str) -> None:
    seen = health(url)
    print(
        f"  hub: {seen['events']:,} events, {seen['live_calls']:,} live calls, {seen['events_per_s']:,.0f} events/s, "
        f"{seen['session_queue_bytes'] / 1e6:.1f} MB not yet in its session",
        flush=True,
    )


def watch(seconds: float, pids: dict[str, int], url: str) -> list[dict[str, Any]]:
    """A sample now and every 10 s."""
    samples = []
    began = time.monotonic()
    for number in range(int(seconds / SAMPLE_S) + 1):
        time.sleep(max(0.0, began + number * SAMPLE_S - time.monotonic()))
        sample: dict[str, Any] = {name: (*memory(pid), cpu(pid)) for name, pid in pids.items()}
        sample["at"], sample["events"] = time.monotonic() - began, health(url)["events"]
        samples.append(sample)
        rss, pss, _ = sample["console"]
        print(f"  {sample['at']:3.0f} s: console RSS {rss:.0f} MB, PSS {pss:.0f} MB", flush=True)
    return samples


def report(samples: list[dict[str, Any]], sent: int, connections: int, of_hub: Any, of_console: Any) -> None:
    first, last = samples[0], samples[-1]
    took = last["at"] - first["at"]
    rss = [sample["console"][0] for sample in samples]
    print(f"{of_console['live']:,} live calls in {of_console['cells']:,} cells, "
          f"{(last['events'] - first['events']) / took:,.0f} events/s for {took:.0f} s")  # fmt: skip
    print(f"  sent by the fleet              {sent:12,}    over {connections} connection")
    print(
        f"  stamped by the hub             {of_hub['events']:12,}    lost on the way {sent - of_hub['events']:,}"
    )
    print(f"  stamps to the console          {of_console['stamps']:12,}    since it joined")
    lost = of_console["stamps"] - of_console["folded"]
    print(f"  folded by the console          {of_console['folded']:12,}    lost {lost:,}, "
          f"{of_console['gaps']} gaps, {of_console['missed']:,} missed")  # fmt: skip
    odd = ", ".join(f"{of_console[kind]:,} {kind}" for kind in ("malformed", "duplicates", "late"))
    if of_console["joined"] > 1:
        print(f"  the console fell behind and joined {of_console['joined']} times: this machine was too busy")
    print(f"  dropped or late                {odd}")
    print(f"  RSS of the console, start      {rss[0]:8.0f} MB")
    print(f"  RSS of the console, end        {rss[-1]:8.0f} MB    goal 800 MB, {max(rss) / 800:.2f} of it; "
          f"{100 * (rss[-1] / rss[0] - 1):+.1f} %")  # fmt: skip
    print(f"  PSS of the console, end        {last['console'][1]:8.0f} MB")
    print(f"  RSS of the hub                 {last['hub'][0]:8.0f} MB    64 MB of backlog in it")
    for name in ("hub", "console", "fleet"):
        print(
            f"  CPU of the {name:8s}            {100 * (last[name][2] - first[name][2]) / took:8.0f} % of a core"
        )
    for name, (n, *times) in of_console["pictures"].items():
        p50, p99, worst = (1000 * seconds for seconds in times)
        print(f"  {name:8s} picture, P50, P99     {p50:5.0f}, {p99:.0f} ms    greatest {worst:.0f} ms of {n}")
    p50, p99, worst = of_console["lags"]
    print(
        f"  lag, P50, P99                  {1000 * p50:5.0f}, {1000 * p99:.0f} ms    greatest {1000 * worst:.0f} ms"
    )


if __name__ == "__main__":
    main()
