"""What a person waits for: the version, the demo's first frame, its first live numbers. Run it on a quiet machine.

    python benchmarks/startup.py [--rounds 7]

`voicetop --version` is compared with `python -c 'import msgspec'`, the first frame of `voicetop demo` with that of the
smallest Textual app, in turns on the same pseudo-terminal of 120×40. A frame is there when its words are; the live
numbers when the demo's fleet of some 200 calls is on the screen, with a latency. What came is kept with its time and
put on a screen afterwards, so that looking on costs the programs nothing. Medians. CPU is that of the console's own
process until its first frame: on a machine that is busy otherwise, its ratio is the one to look at. Bytecode is
compiled first, as an installation does.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import fcntl
import importlib.util
import os
import pty
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pyte

COLUMNS, ROWS = 120, 40
PATIENCE_S = 20.0
DEMO_S = 5.0
LOOKED_AT = 40
"""Pieces for which the CPU is noted: the first frames."""
VOICETOP = str(Path(sys.executable).with_name("voicetop"))

SMALLEST = """
from textual.app import App
from textual.widgets import Static
class Smallest(App):
    def compose(self):
        yield Static("READY")
Smallest().run()
"""

ANSWERS = {
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",
    b"\x1b[?2048$p": b"\x1b[?2048;0$y",
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[6n": b"\x1b[1;1R",
}
"""What a terminal answers when it is asked what it can do."""

Seen = list[tuple[float, float, bytes]]
"""Seconds since the start, seconds of CPU of the process so far, and what came then."""


def watch(command: list[str], seconds: float, enough: bytes) -> Seen:
    """What a program writes in so many seconds, or until `enough` comes."""
    began = time.perf_counter()
    pid, fd = pty.fork()
    if pid == 0:
        env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.execvpe(command[0], command, env)
    seen: Seen = []
    try:
        while (passed := time.perf_counter() - began) < seconds:
            if not select.select([fd], [], [], seconds - passed)[0]:
                break
            data = os.read(fd, 1 << 16)
            seen.append((time.perf_counter() - began, cpu(pid) if len(seen) < LOOKED_AT else 0.0, data))
            for question, answer in ANSWERS.items():
                if question in data:
                    os.write(fd, answer)
            if enough and enough in data:
                break
    except OSError:  # it has ended
        pass
    finally:
        end(pid, fd)
    return seen


def cpu(pid: int) -> float:
    """Seconds of CPU, all threads."""
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    return 0.0


def end(pid: int, fd: int) -> None:
    """As a closed terminal ends it; waits, so that it doesn't disturb the next."""
    os.kill(pid, signal.SIGHUP)
    limit = time.monotonic() + 5.0
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > limit:
            os.kill(pid, signal.SIGKILL)
        if select.select([fd], [], [], 0.02)[0]:
            try:
                os.read(fd, 1 << 16)
            except OSError:
                time.sleep(0.02)
    os.close(fd)
    time.sleep(0.5)


def first(seen: Seen, there: Callable[[str], bool]) -> tuple[float, float]:
    """(when, with how much CPU) the screen first shows what is looked for; NaN where it never does."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    for at, spent, data in seen:
        stream.feed(data)
        if there("\n".join(screen.display)):
            return at, spent
    return float("nan"), float("nan")


def is_first_frame(text: str) -> bool:
    return "voicetop" in text and "q quit" in text


def has_live_numbers(text: str) -> bool:
    """Live calls, and a latency in the Overview."""
    return re.search(r"LIVE CALLS +[1-9]", text) is not None and re.search(r"P95 +[1-9]", text) is not None


def run(command: list[str]) -> float:
    """Seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def compare_version(rounds: int) -> None:
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(run([VOICETOP, "--version"]))
        theirs.append(run([sys.executable, "-c", "import msgspec"]))
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"voicetop --version          {1000 * a:6.0f} ms    import msgspec          {1000 * b:5.0f} ms    "
          f"{a / b:.2f}×    goal 1.3×")  # fmt: skip


def compare_demo(rounds: int) -> None:
    frames, live, smallest = [], [], []
    with tempfile.NamedTemporaryFile("w", suffix=".py") as app:
        app.write(SMALLEST)
        app.flush()
        for _ in range(rounds):
            seen = watch([sys.executable, app.name], PATIENCE_S, b"READY")
            smallest.append(first(seen, lambda text: "READY" in text))
            seen = watch([VOICETOP, "demo"], DEMO_S, b"")
            frames.append(first(seen, is_first_frame))
            live.append(first(seen, has_live_numbers)[0])
    (a, a_cpu), (b, b_cpu) = (medians(times) for times in (frames, smallest))
    print(f"demo, first frame           {1000 * a:6.0f} ms    smallest Textual app    {1000 * b:5.0f} ms    "
          f"{a / b:.2f}×    goal 1.5×")  # fmt: skip
    print(
        f"  CPU until then            {1000 * a_cpu:6.0f} ms    {'':23s} {1000 * b_cpu:5.0f} ms    {a_cpu / b_cpu:.2f}×"
    )
    c = statistics.median(live)
    print(f"demo, first live numbers    {1000 * c:6.0f} ms    {min(live):.1f} to {max(live):.1f} s    "
          f"goal 2,000 ms, {c / 2:.2f} of it")  # fmt: skip


def medians(times: list[tuple[float, float]]) -> tuple[float, float]:
    """Of the time and of the CPU."""
    wall, spent = zip(*times, strict=True)
    return statistics.median(wall), statistics.median(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    spec = importlib.util.find_spec("voicetop")
    assert spec
    assert spec.origin
    compileall.compile_dir(Path(spec.origin).parent, quiet=1)
    compare_version(2 * rounds)
    compare_demo(rounds)


if __name__ == "__main__":
    main()
