"""What painting costs: bytes and CPU at 200×50 with 1,000 live calls, four frames a second; the time to a first frame.

    python benchmarks/paint.py [seconds]

The console plays synthetic pictures on a pseudo-terminal. Its bytes go into a terminal emulator; from the emulator's
cells at the end of each frame the smallest ANSI diff of the same frames is made, and that is the peer. The first frame
is compared with that of the smallest Textual app, in turns.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any, NamedTuple

import pyte

HERE = Path(__file__).parent
COLUMNS, ROWS = 200, 50
WARM_S = 12.0
CALM_S = 0.04
"""A frame is over when the terminal was left in peace for so long."""

SMALLEST = """
from textual.app import App
from textual.widgets import Static
class Smallest(App):
    def compose(self):
        yield Static("READY")
Smallest().run()
"""


class Console:
    """A program on a pseudo-terminal that answers what terminals answer."""

    def __init__(self, *command: str, program: str = sys.executable) -> None:
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            os.execve(program, [program, *command], env)

    def read(self, wait: float) -> bytes:
        """What comes within `wait` seconds; empty if nothing does."""
        if not select.select([self.fd], [], [], wait)[0]:
            return b""
        data = os.read(self.fd, 1 << 16)
        if b"\x1b[?2026$p" in data:
            os.write(self.fd, b"\x1b[?2026;2$y")
        return data

    def until(self, mark: bytes) -> float:
        """Seconds from the start to the first bytes that hold `mark`."""
        got = b""
        while mark not in got:
            got += self.read(5.0)
        return time.perf_counter() - self.started

    def cpu(self) -> float:
        """Seconds of CPU so far, all threads."""
        ns = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            ns += int((task / "schedstat").read_text().split()[0])
        return ns / 1e9

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


Cell = tuple[str, str, str, str]
"""Character, foreground, background, weight."""


class Measured(NamedTuple):
    """Of one screen: bytes a second as sent and at least, CPU in percent of a core, frames a second."""

    sent: float
    least: float
    cpu: float
    frames: float


def cells(screen: pyte.Screen) -> list[list[Cell]]:
    rows = []
    for y in range(ROWS):
        line: Any = screen.buffer[y]
        rows.append([(c.data, c.fg, c.bg, "1" if c.bold else "") for c in (line[x] for x in range(COLUMNS))])
    return rows


def least_diff(before: list[list[Cell]], after: list[list[Cell]]) -> int:
    """Bytes of the smallest diff: at a gap the cheaper of moving and writing on, of a style only what changes."""
    total = 0
    pen: tuple[str, str, str] = ("default", "default", "")
    for y, (old, new) in enumerate(zip(before, after, strict=True)):
        at = -1
        for x in (x for x in range(COLUMNS) if old[x] != new[x] and new[x][0]):
            if at < 0:
                total += len(f"\x1b[{y + 1};{x + 1}H") if x else len(f"\x1b[{y + 1}H")
            elif x > at:
                gap = new[at:x]
                onward = 3 if x - at == 1 else 3 + len(str(x - at))
                plain = all(cell[1:] == pen for cell in gap)
                through = len("".join(cell[0] for cell in gap).encode()) if plain else onward
                total += min(onward, through)
            total += restyle(pen, new[x][1:]) + len(new[x][0].encode())
            pen = new[x][1:]
            at = x + 1
    return total


def restyle(pen: tuple[str, str, str], wanted: tuple[str, str, str]) -> int:
    """Bytes of the shortest SGR from one style to another."""
    codes = [
        colour(new, kind) for new, old, kind in zip(wanted, pen, ("38", "48"), strict=False) if new != old
    ]
    if wanted[2] != pen[2]:
        codes.append("1" if wanted[2] else "22")
    return len(f"\x1b[{';'.join(codes)}m") if codes else 0


def colour(value: str, kind: str) -> str:
    if value == "default":
        return "39"
    return f"{kind};2;{int(value[:2], 16)};{int(value[2:4], 16)};{int(value[4:], 16)}"


def measure(page: str, seconds: float) -> Measured:
    """Play the incident on one screen."""
    console = Console(str(HERE / "play.py"), "1000", page, "incident")
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    end = time.perf_counter() + WARM_S
    while time.perf_counter() < end:
        stream.feed(console.read(0.1))
    frames: list[bytes] = []
    current, cpu, start = b"", console.cpu(), time.perf_counter()
    while time.perf_counter() - start < seconds or current:
        data = console.read(CALM_S)
        current += data
        if not data and current:
            frames.append(current)
            current = b""
    taken, cpu = time.perf_counter() - start, console.cpu() - cpu
    console.end()
    least, shown = 0, cells(screen)
    for frame in frames:
        stream.feed(frame)
        now = cells(screen)
        least += least_diff(shown, now)
        shown = now
    return Measured(sum(map(len, frames)) / taken, least / taken, 100 * cpu / taken, len(frames) / taken)


def first_frames(rounds: int = 7) -> tuple[float, float]:
    """Median seconds to the first frame of (the console, the smallest Textual app), taken in turns."""
    ours, theirs = [], []
    with tempfile.NamedTemporaryFile("w", suffix=".py") as smallest:
        smallest.write(SMALLEST)
        smallest.flush()
        for _ in range(rounds):
            for command, mark, times in (
                ((str(HERE / "play.py"), "0", "overview", "none"), b"voicetop", ours),
                ((smallest.name,), b"READY", theirs),
            ):
                console = Console(*command)
                times.append(console.until(mark))
                console.end()
    return statistics.median(ours), statistics.median(theirs)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print(f"{COLUMNS}×{ROWS}, 1,000 live calls, an incident, 4 frames a second, for {seconds:.0f} s")
    print(f"{'screen':10}{'sent/s':>10}{'least/s':>10}{'ratio':>8}{'CPU':>8}{'frames/s':>10}")
    for page in ("overview", "calls"):
        m = measure(page, seconds)
        ratio = m.sent / m.least if m.least else float("nan")
        print(f"{page:10}{m.sent:8,.0f} B{m.least:8,.0f} B{ratio:7.2f}×{m.cpu:6.1f} %{m.frames:10.1f}")
    ours, theirs = first_frames()
    print(f"first frame {ours * 1000:.0f} ms, the smallest Textual app {theirs * 1000:.0f} ms", end="")
    print(f": {ours / theirs:.2f}× (to reach: 1.5×)")


if __name__ == "__main__":
    main()
