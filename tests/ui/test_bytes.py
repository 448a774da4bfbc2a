"""What leaves for the terminal, byte by byte: the console on a real pseudo-terminal, its feed full of hostile text."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyte

PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from ui import synthetic, synthetic_alerts
from ui.fake_feed import FakeFeed
from voicetop.sources import LinkState
from voicetop.ui.app import ConsoleApp
text = {text}
feed = FakeFeed(lambda view, tick: synthetic_alerts.hostile(text, synthetic.hostile(text, view, tick)))
feed.link = LinkState("live", where=text, why=text)
feed.error = {error}
ConsoleApp(feed, links={{"trace": "https://t.example/{{trace_id}}"}}).run()
"""

ALLOWED = re.compile(
    rb"\x1b\[[0-9;]*[mHC]"  # colours and moves
    rb"|\x1b\[[?>=<]?[0-9;]*[hlupn]|\x1b\[\?[0-9;]*\$p|\x1b\[<u|\x1b\[[0-9;]*c"  # modes that the driver sets and asks
    rb"|\x1b\]22;[a-z-]*\x07"  # the pointer's shape, from Textual
    rb"|\x1b\]8;;(https://t\.example/[A-Za-z0-9%._~-]*)?\x1b\\"  # a link, from the config's template
    rb"|\r|\n|\x08"
)


@contextmanager
def console(
    program: str, columns: int = 120, rows: int = 36
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The console in a child on a pty of its own; gives the reading end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    env.pop("NO_COLOR", None)
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=env,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield master, child
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        os.close(master)


def read(master: int, until: bytes, seconds: float = 60.0) -> bytes:
    """Bytes from the terminal until a text has come and half a second of calm has passed."""
    got = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], 0.5)
        if not ready and until in got:
            break
        if ready:
            got += os.read(master, 65536)
    assert until in got, got[-500:]
    return got


def press(master: int, keys: bytes) -> bytes:
    os.write(master, keys)
    got = b""
    while select.select([master], [], [], 0.4)[0]:
        got += os.read(master, 65536)
    return got


HOSTILE = "synthetic.HOSTILE + '\\x85\\u2028\\x9d52;c;AAAA\\x9c\\x1b]52;c;AAAA\\x1b\\\\\\\\\\r\\n\\t'"


def test_nothing_that_a_feed_says_acts_upon_the_terminal() -> None:
    program = PROGRAM.format(tests=str(Path(__file__).parents[1]), text=HOSTILE, error="''")
    with console(program) as (master, _):
        got = read(master, b"needs attention")
        for keys in (
            b"j\r",
            b"\r",
            b"G",
            b"y",
            b"\x1b",
            b"\x1b",
            b"4j",
            b"\r",
            b"jjj",
            b"\x1b",
            b"2jj",
            b"\r",
            b"\x1b",
            b"tt?",
            b"\x1b",
            b"/x",
        ):
            got += press(master, keys)
    assert b"\x1b]8;;https://t.example/" in got
    assert b"pwned" in got
    rest = ALLOWED.sub(b"", got)
    assert b"\x1b" not in rest, rest[max(0, rest.find(b"\x1b") - 20) :][:80]
    text = rest.decode("utf-8")
    assert not {char for char in text if not char.isprintable()}


def test_an_error_of_the_feed_is_as_harmless() -> None:
    program = PROGRAM.format(tests=str(Path(__file__).parents[1]), text=HOSTILE, error="text")
    with console(program) as (master, _):
        rest = ALLOWED.sub(b"", read(master, b"STOPPED"))
    assert not {char for char in rest.decode("utf-8") if not char.isprintable()}


def test_the_terminal_shows_what_the_sheet_holds_after_keys_and_a_resize() -> None:
    program = PROGRAM.format(tests=str(Path(__file__).parents[1]), text="'acme'", error="''")
    with console(program, 100, 30) as (master, child):
        screen = pyte.Screen(100, 30)
        stream = pyte.ByteStream(screen)
        stream.feed(read(master, b"needs attention"))
        assert screen.display[0].startswith(" voicetop  acme  ● LIVE")
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        screen.resize(24, 80)
        child.send_signal(signal.SIGWINCH)
        stream.feed(press(master, b"2"))
        stream.feed(press(master, b"jj"))
        assert screen.display[3].startswith("── live calls ──")
        assert screen.display[6].startswith("▸■")
        assert "2 Calls" in screen.display[23]


def test_a_terminal_that_reads_slowly_still_gets_its_answers() -> None:
    program = PROGRAM.format(tests=str(Path(__file__).parents[1]), text="'acme'", error="''").replace(
        "ConsoleApp(feed,",
        "feed.make = lambda view, tick: synthetic.incident(view, tick, 1000)\n"
        "import threading, time\n"
        "def play():\n"
        "    while True:\n"
        "        time.sleep(0.25); feed.step()\n"
        "threading.Thread(target=play, daemon=True).start()\n"
        "ConsoleApp(feed,",
    )
    with console(program, 200, 50) as (master, _):
        screen = pyte.Screen(200, 50)
        stream = pyte.ByteStream(screen)
        see = partial(read_slowly, master, 0.2, 3_000)
        until(screen, stream, see, " response time ")
        for key, mark in ((b"2", " live calls "), (b"1", " response time ")) * 2:
            os.write(master, key)
            until(screen, stream, see, mark)


def until(screen: pyte.Screen, stream: pyte.ByteStream, see: Callable[[], bytes], words: str) -> None:
    """Read on until the terminal shows that."""
    end = time.monotonic() + 60
    while not any(words in line for line in screen.display):
        assert time.monotonic() < end, "\n".join(screen.display)
        stream.feed(see())


def read_slowly(master: int, seconds: float, rate: int = 10_000) -> bytes:
    """What a terminal takes that takes so many bytes a second."""
    got = b""
    start = time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        if len(got) < passed * rate and select.select([master], [], [], 0.02)[0]:
            got += os.read(master, 512)
        else:
            time.sleep(0.01)
    return got
