"""What a console costs on a real feed: CPU, bytes against the smallest diff and btop, keys to paint, a slow terminal.

    python benchmarks/console.py [--seconds 20] [--calls 1000] [--many 100000] [--only cost,btop,keys,many,slow]

A hub and a simulated fleet run in processes of their own; the console is the one that people start, on a terminal of
200×50 whose bytes go into an emulator. Its CPU is that of all its threads, the engine's among them. The smallest diff
of the same frames is made from the emulator's cells (`paint.py`); btop draws on the same kind of terminal.

For keys at very many live calls the feed is played from a file at its own pace, on the thread that would read a socket:
a fleet of that size needs more machine than the console that is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
from paint import CALM_S, COLUMNS, ROWS, Console, cells, least_diff

HERE = Path(__file__).parent
WARM_S = 15.0
SLOW_RATE = 10_000
PRESSES = 120


@contextlib.contextmanager
def feed(calls: int) -> Iterator[str]:
    """A hub with a fleet on it, its day behind it; gives the URL."""
    words = ["--calls", str(calls), "--history", "24", "--old-calls", "1000"]
    incident = ["--incident", "llm_outage", "--at", "5", "--for", "600", "--segment", "language=es"]
    child = subprocess.Popen(
        [sys.executable, "-m", "voicetop", "demo-feed", *words, *incident],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield child.stdout.readline().decode().strip()
    finally:
        child.stdin.close()
        child.wait(10)


class Watched:
    """A console with an emulator behind its terminal."""

    def __init__(self, *command: str, program: str = sys.executable) -> None:
        self.console = Console(*command, program=program)
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.stream = pyte.ByteStream(self.screen)

    def take(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Read for so long, or until something is on the screen."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            data = self.console.read(0.1)
            if data:
                self.stream.feed(data)
                if until():
                    return True
        return until()

    def shows(self, text: str) -> bool:
        return any(text in line for line in self.screen.display)

    def press(self, keys: bytes) -> None:
        os.write(self.console.fd, keys)

    def frames(self, seconds: float) -> list[bytes]:
        """The bytes of every frame that comes in that time."""
        frames: list[bytes] = []
        current, start = b"", time.perf_counter()
        while time.perf_counter() - start < seconds or current:
            data = self.console.read(CALM_S)
            current += data
            if not data and current:
                frames.append(current)
                current = b""
        return frames

    def least(self, frames: list[bytes]) -> int:
        """Bytes of the smallest diff of the same frames."""
        total, shown = 0, cells(self.screen)
        for frame in frames:
            self.stream.feed(frame)
            now = cells(self.screen)
            total += least_diff(shown, now)
            shown = now
        return total

    def end(self) -> None:
        self.console.end()


def cost(url: str, seconds: float) -> None:
    """CPU and bytes at four frames a second, screen by screen."""
    watched = Watched("-m", "voicetop", url)
    watched.take(WARM_S)
    print(f"\n{'screen':10}{'CPU':>8}{'sent/s':>11}{'least/s':>11}{'ratio':>8}{'frames/s':>10}")
    for key, name in ((b"1", "overview"), (b"2", "calls"), (b"3", "segments"), (b"5", "trends")):
        watched.press(key)
        watched.take(3.0)
        cpu, start = watched.console.cpu(), time.perf_counter()
        frames = watched.frames(seconds)
        taken, cpu = time.perf_counter() - start, watched.console.cpu() - cpu
        sent, least = sum(map(len, frames)), watched.least(frames)
        print(
            f"{name:10}{100 * cpu / taken:6.1f} %{sent / taken:9,.0f} B{least / taken:9,.0f} B"
            f"{sent / max(1, least):7.2f}×{len(frames) / taken:10.1f}"
        )
    watched.end()


def against_btop(url: str, seconds: float) -> None:
    """Bytes a second at one frame a second, in turns with btop on the same kind of terminal."""
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "btop/btop.conf"
        settings.parent.mkdir()
        settings.write_text("update_ms = 1000\nproc_per_core = False\n")
        os.environ["XDG_CONFIG_HOME"] = folder
        for name, program, words, key in (
            ("overview", sys.executable, ("-m", "voicetop", url, "--fps", "1"), b"1"),
            ("calls", sys.executable, ("-m", "voicetop", url, "--fps", "1"), b"2"),
            ("btop", "/usr/bin/btop", ("--utf-force",), b""),
        ):
            watched = Watched(*words, program=program)
            watched.take(8.0)
            if key:
                watched.press(key)
                watched.take(3.0)
            start = time.perf_counter()
            sent = sum(map(len, watched.frames(seconds)))
            rates[name] = sent / (time.perf_counter() - start)
            watched.end()
        del os.environ["XDG_CONFIG_HOME"]
    ours, theirs = (rates["overview"], rates["calls"]), rates["btop"]
    print(
        f"\nat 1 frame/s: overview {ours[0]:,.0f} B/s, calls {ours[1]:,.0f} B/s, btop {theirs:,.0f} B/s",
        end="",
    )
    print(f": {ours[0] / theirs:.2f}× and {ours[1] / theirs:.2f}× (to reach: below 1)")


def answer(watched: Watched, keys: bytes, shown: Callable[[], bool], limit: float = 5.0) -> float:
    """Seconds from a key to the bytes that show what it did."""
    start = time.perf_counter()
    watched.press(keys)
    while time.perf_counter() - start < limit:
        data = watched.console.read(0.5)
        came = time.perf_counter()
        watched.stream.feed(data)
        if shown():
            return came - start
    return limit


def keys(watched: Watched, title: str, goal: float) -> None:
    """Walk the list of calls and go to and fro between screens; how long each key takes to be seen."""
    dice = random.Random(1)
    moves, screens = [], []

    def marked() -> list[tuple[int, str]]:
        return [(y, line[:20]) for y, line in enumerate(watched.screen.display) if line.startswith("▸")]

    watched.press(b"2")
    watched.take(3.0, lambda: watched.shows(" live calls "))
    for _ in range(PRESSES):
        before = marked()
        moves.append(answer(watched, b"j", lambda before=before: marked() != before))  # type: ignore[misc]
        watched.take(dice.uniform(0.02, 0.2))
    for _ in range(PRESSES // 4):
        screens.append(answer(watched, b"1", lambda: watched.shows("response time")))
        watched.take(dice.uniform(0.1, 0.3))
        screens.append(answer(watched, b"2", lambda: watched.shows(" live calls ")))
        watched.take(dice.uniform(0.1, 0.3))
    for name, times in (("j", moves), ("1 2", screens)):
        p50, p99 = statistics.median(times), sorted(times)[int(0.99 * len(times))]
        said = f"{title:22}{name:6}{1000 * p50:7.0f} ms P50{1000 * p99:7.0f} ms P99"
        print(f"{said}   n {len(times)} (to reach: {goal:.0f} ms)")


def slow(url: str) -> None:
    """A terminal that takes 10 kB a second: keys answered, nothing of the feed missed."""
    watched = Watched("-m", "voicetop", url)
    pump = SlowReader(watched)
    pump.run(WARM_S)
    times = []
    for key, mark in ((b"2", " live calls "), (b"1", "response time")) * 8:
        start = time.perf_counter()
        watched.press(key)
        pump.run(5.0, lambda mark=mark: watched.shows(mark))  # type: ignore[misc]
        times.append(time.perf_counter() - start)
        pump.run(1.5)
    pace = next((line for line in watched.screen.display if "frame" in line), "").strip()
    said = f"keys answered after {statistics.median(times):.2f} s, at most {max(times):.2f} s"
    print(f"\non {SLOW_RATE:,} B/s: {said} (to reach: 1 s)")
    print(f"its first line says: {' '.join(pace.split())[:90]}")
    watched.end()


class SlowReader:
    """Takes so many bytes a second, and not one more."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        start, got = time.perf_counter(), 0
        while (passed := time.perf_counter() - start) < seconds:
            if got < passed * SLOW_RATE and select.select([self.watched.console.fd], [], [], 0.02)[0]:
                data = os.read(self.watched.console.fd, 256)
                if b"\x1b[?2026$p" in data:
                    os.write(self.watched.console.fd, b"\x1b[?2026;2$y")
                got += len(data)
                self.watched.stream.feed(data)
                if until():
                    return
            else:
                time.sleep(0.005)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--only", default="cost,btop,keys,many,slow")
    args = parser.parse_args()
    only = args.only.split(",")
    print(f"{COLUMNS}×{ROWS}, {args.calls:,} live calls, an incident, real hub, fleet and engine", end="")
    print(f"; load {os.getloadavg()[0]:.1f}")
    with feed(args.calls) as url:
        if "cost" in only:
            cost(url, args.seconds)
        if "btop" in only:
            against_btop(url, args.seconds)
        if "slow" in only:
            slow(url)
        if "keys" in only:
            watched = Watched("-m", "voicetop", url)
            watched.take(WARM_S)
            keys(watched, f"{args.calls:,} live calls", 50)
            watched.end()
    if "many" in only:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "feed")
            subprocess.run(
                [sys.executable, str(HERE / "console_feed.py"), "make", path, str(args.many)], check=True
            )
            watched = Watched(str(HERE / "console_feed.py"), "play", path)
            watched.take(60.0, lambda: watched.shows("need eyes first"))
            watched.take(5.0)
            keys(watched, f"{args.many:,} live calls", 100)
            watched.end()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    main()
