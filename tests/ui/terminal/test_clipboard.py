from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip

from ui import synthetic
from ui.fake_feed import FakeFeed
from voicetop.sources import LinkState
from voicetop.ui.app import ConsoleApp
from voicetop.ui.lines import LINK, text_of
from voicetop.ui.links import is_address, linked
from voicetop.ui.renderables.plain_text import CUT, MAX_BYTES, bounded, row_text, status_text
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.terminal import clipboard
from voicetop.ui.terminal.driver import send, takes_links
from voicetop.ui.terminal.painter import Painter

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def decoded(sequence: str) -> str:
    assert sequence.startswith("\x1b]52;c;")
    return base64.b64decode(sequence[7:-1]).decode()


async def copied(text: str, env: dict[str, str]) -> tuple[str, str]:
    written: list[str] = []
    how = await clipboard.copy(text, written.append, env)
    return "".join(written), how


async def test_a_copy_is_one_osc_52() -> None:
    sequence, how = await copied("P95 3,9 s · 漢字\nzwei", {})
    assert decoded(sequence) == "P95 3,9 s · 漢字\nzwei"
    assert "OSC 52" in how


async def test_nothing_that_a_terminal_acts_upon_is_copied() -> None:
    sequence, _ = await copied(synthetic.HOSTILE + "\r\nrm -rf ~\x1b[201~", {})
    text = decoded(sequence)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert text.count("\n") == 1


async def test_where_tmux_does_not_answer_the_sequence_goes_through_it(tmp_path: Path) -> None:
    bad = tmp_path / "tmux"
    bad.write_text("#!/bin/sh\nexit 1\n")
    bad.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{tmp_path}:{before}"
    try:
        sequence, how = await copied("text", {"TMUX": "/tmp/x,1,0"})
    finally:
        os.environ["PATH"] = before
    assert sequence == "\x1bPtmux;\x1b\x1b]52;c;dGV4dA==\x07\x1b\\"
    assert "OSC 52 and tmux" in how


def test_a_long_text_is_cut_at_a_line_and_says_so() -> None:
    text = bounded("ü" * 99 + "\n" + "line\n" * MAX_BYTES)
    assert len(text.encode()) <= MAX_BYTES
    assert text.endswith(f"line\n{CUT}")
    assert bounded("short") == "short"
    assert bounded("ü" * MAX_BYTES).endswith(CUT)


def test_the_status_line_says_how_things_stand_and_when() -> None:
    text = status_text(Scene(synthetic.incident(), LinkState("live")))
    assert text.startswith("acme-prod: ▲ DEGRADED since 14:01 (6 min) · P95 response 3,910 ms")
    assert "412 live calls" in text
    assert text.endswith("as of 14:07:32 UTC")
    assert "\n" not in text


def test_a_row_is_a_line_that_reads_by_itself() -> None:
    from voicetop.ui.style.display_options import DisplayOptions

    text = row_text(synthetic.call(0, trouble="stuck"), DisplayOptions())
    assert text.startswith("call c1cc99 · stuck · waiting 10.5 s for LLM acme-llm · age 9:12")
    assert "intent=billing, language=es" in text


# -- the box --------------------------------------------------------------------------------------------------------


@pytest.fixture
def outgoing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    written: list[str] = []
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setattr("voicetop.ui.terminal.app.send", lambda _, data: written.append(data))
    return written


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await pilot.pause(0.02)


async def test_the_box_asks_what_and_the_last_line_says_what_was_copied(outgoing: list[str]) -> None:
    app = ConsoleApp(FakeFeed(), links={"trace": "https://traces.example.com/{trace_id}"})
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("y")
        box = "\n".join(text_of(line) for line in app.sheet.lines)
        assert "panel" in box
        assert "row" not in [line.split()[1] for line in box.splitlines() if line.strip().startswith("r ")]
        await pilot.press("s")
        await until(pilot, lambda: len(outgoing) == 1)
        assert "DEGRADED" in decoded(outgoing[0])
        await until(pilot, lambda: "copied the status line" in text_of(app.sheet.lines[-1]))
        await pilot.press("y", "p")
        await until(pilot, lambda: len(outgoing) == 2)
        assert "── needs attention" in decoded(outgoing[1])
        await pilot.press("enter", "y", "r")
        await until(pilot, lambda: len(outgoing) == 3)
        assert decoded(outgoing[2]).startswith("call c1cc99 · stuck")


async def test_a_call_is_copied_with_every_word_and_its_link(outgoing: list[str]) -> None:
    app = ConsoleApp(FakeFeed(), links={"trace": "https://traces.example.com/{trace_id}", "call": ""})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "overloaded" in "".join(text_of(line) for line in app.sheet.lines))
        await pilot.press("y", "p")
        await until(pilot, lambda: len(outgoing) == 1)
        text = " ".join(decoded(outgoing[0]).split())
        assert "que me dijeron por teléfono" in text
        assert "traces.example.com" in text
        await pilot.press("Y")
        await until(pilot, lambda: len(outgoing) == 2)
        assert decoded(outgoing[1]) == "https://traces.example.com/4bf92f3577b34da6a3ce929d0e0e4736"


async def test_without_links_the_key_says_what_to_do(outgoing: list[str]) -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("enter", "Y")
        await until(pilot, lambda: "[links] in the config" in text_of(app.sheet.lines[-1]))
        assert not outgoing


# -- the terminal ---------------------------------------------------------------------------------------------------


def painted(text: str, style: Style, *, links: bool = True) -> str:
    update = LayoutUpdate(
        [[Strip([Segment("ab", Style()), Segment(text, style), Segment("cd", Style())])]], Region(0, 0, 80, 1)
    )
    made = Painter(ColorSystem.TRUECOLOR, links=links).update(update)
    assert made is not None
    return made.data


def test_a_link_is_written_around_its_text_and_closed() -> None:
    data = painted("trace", Style(link="https://t.example/1"))
    assert "\x1b]8;;https://t.example/1\x1b\\trace\x1b" in data
    assert data.count("\x1b]8;;\x1b\\") == 1
    assert data.index("\x1b]8;;\x1b\\") < data.index("cd")


def test_a_link_at_the_end_of_a_frame_is_closed_too() -> None:
    made = Painter(None).update(
        LayoutUpdate([[Strip([Segment("x", Style(link="https://t.example"))])]], Region(0, 0, 1, 1))
    )
    assert made is not None
    assert made.data.endswith("x\x1b]8;;\x1b\\\x1b[m")


def test_a_terminal_that_would_print_links_gets_none() -> None:
    assert "]8;" not in painted("trace", Style(link="https://t.example/1"), links=False)
    assert takes_links({"TERM": "xterm-256color"})
    assert takes_links({"TERM": "screen-256color", "TMUX": "/tmp/x,1,0"})
    for env in ({"TERM": "linux"}, {"TERM": "screen"}, {"TERM": "xterm", "VTE_VERSION": "4205"}, {}):
        assert not takes_links(env)


def test_only_plain_addresses_become_links() -> None:
    assert linked("key", "https://t.example/ü") == "key"
    assert linked("key", "https://t.example/\x1b\\") == "key"
    assert linked("key", "https://t.example/1") == f"key{LINK}https://t.example/1"
    assert not is_address("https://" + "x" * 3000)


def test_the_driver_still_has_what_copying_needs() -> None:
    from textual.drivers.linux_driver import LinuxDriver

    assert callable(LinuxDriver.write)
    assert callable(LinuxDriver.flush)
    send(None, "nowhere")


# -- a real tmux ----------------------------------------------------------------------------------------------------


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., str]]:
    socket = tmp_path / "tmux.sock"
    env = {key: value for key, value in os.environ.items() if not key.startswith("TMUX")}

    def run(*words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(socket), "-f", "/dev/null", *words],
            capture_output=True,
            check=False,
            text=True,
            env=env,
            timeout=20,
        )
        return done.stdout

    yield run
    run("kill-server")


def wait_for(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.debian
@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_in_a_real_tmux_a_copy_is_in_its_buffer(tmux: Callable[..., str]) -> None:
    play = f"LANG=C.UTF-8 {sys.executable} {BENCHMARKS / 'play.py'} 412 overview incident"
    tmux("new-session", "-d", "-x", "120", "-y", "36", play)
    wait_for(lambda: "needs attention" in tmux("capture-pane", "-p"))
    tmux("send-keys", "y")
    wait_for(lambda: "status line" in tmux("capture-pane", "-p"))
    tmux("send-keys", "s")
    wait_for(lambda: "copied the status line" in tmux("capture-pane", "-p"))
    assert "DEGRADED" in tmux("show-buffer")
