"""Ctrl+Z and `fg` in a shell, and a console that is stopped from outside."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.clients import publisher, send
from terminal.emulator import Terminal
from terminal.test_tmux import PROMPT, Tmux
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session

RECORDING = Path(__file__).parents[2] / "recordings" / "llm-outage.vtr"
in_tmux = [
    pytest.mark.debian,
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]


@asynccontextmanager
async def hub() -> AsyncIterator[Hub]:
    started = Hub(HubConfig(port=0, heartbeat_s=0.25), log=lambda _: None, new_session=Session)
    await started.start()
    try:
        yield started
    finally:
        await started.close()


async def call(hub: Hub, name: str) -> None:
    agent = await publisher(hub.url)
    await send(agent, {"type": "call.start", "ts": time.time(), "call_id": name})
    await agent.close()


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    window = Tmux(tmp_path, 140, 30)
    window.type(f"unset COLUMNS LINES; PS1='{PROMPT} '; clear")
    window.until(lambda text: text.startswith(PROMPT))
    yield window
    window.end()


def terminal_modes(tmux: Tmux, name: str) -> str:
    """How the shell finds its terminal."""
    tmux.type(f"clear; echo {name} $(stty -g) end")
    shown = tmux.until(lambda text: re.search(rf"^{name} \S+ end$", text, re.MULTILINE))
    found = re.search(rf"^{name} (\S+) end$", shown, re.MULTILINE)
    assert found
    assert [tmux.asks(flag) for flag in ("alternate_on", "cursor_flag", "mouse_any_flag")] == ["0", "1", "0"]
    return found[1]


def suspend_and_return(tmux: Tmux, command: str, before: str, on_the_screen: str) -> None:
    """Ctrl+Z with a key typed right after it; the shell; `fg`."""
    tmux.press("C-z", "q")
    tmux.until(lambda text: on_the_screen not in text and PROMPT in text)
    assert terminal_modes(tmux, "suspended") == before
    tmux.type("clear; jobs; echo sum $((20 + 3))")
    shown = tmux.shows("sum 23")
    assert re.search(f"Stopped.*{re.escape(command[:20])}", shown)
    tmux.type("clear; fg")
    tmux.shows(on_the_screen)
    tmux.until(lambda text: command[:20] not in text and PROMPT not in text)
    assert tmux.asks("alternate_on") == "1"


class TestInAShell:
    pytestmark = in_tmux

    async def test_a_live_console_comes_back_to_the_present(self, tmux: Tmux) -> None:
        async with hub() as feed:
            await call(feed, "before")
            await asyncio.to_thread(self._suspend_and_return_twice, tmux, feed.url)
            await call(feed, "afterwards")
            await asyncio.to_thread(tmux.shows, "afterwards")
            await asyncio.to_thread(tmux.press, "q")
            await asyncio.to_thread(tmux.until, lambda text: PROMPT in text and "live calls" not in text)

    @staticmethod
    def _suspend_and_return_twice(tmux: Tmux, url: str) -> None:
        before = terminal_modes(tmux, "before")
        command = f"{sys.executable} -m voicetop {url}"
        tmux.type(f"clear; {command}")
        tmux.shows("LIVE CALLS")
        tmux.press("2")
        tmux.shows("── live calls")
        for _ in range(2):
            suspend_and_return(tmux, command, before, "── live calls")
            tmux.shows("before")

    def test_a_replay_comes_back_to_where_it_was(self, tmux: Tmux) -> None:
        before = terminal_modes(tmux, "before")
        command = f"{sys.executable} -m voicetop replay {RECORDING} --utc"
        tmux.type(f"clear; {command}")
        tmux.until(lambda text: "▶ REPLAY" in text and "LIVE CALLS" in text, 60)
        suspend_and_return(tmux, command, before, "REPLAY")
        tmux.press("2")
        tmux.shows("── live calls")
        tmux.press("q")
        tmux.until(lambda text: PROMPT in text and "REPLAY" not in text)
        assert terminal_modes(tmux, "after") == before

    def test_the_script_that_started_it_stops_with_it(self, tmux: Tmux, tmp_path: Path) -> None:
        script = tmp_path / "run"
        script.write_text(f"#!/bin/sh\n{sys.executable} -m voicetop replay {RECORDING}\necho script ended\n")
        script.chmod(0o700)
        before = terminal_modes(tmux, "before")
        tmux.type(f"clear; {script}")
        tmux.until(lambda text: "▶ REPLAY" in text, 60)
        suspend_and_return(tmux, str(script), before, "REPLAY")
        tmux.press("q")
        tmux.shows("script ended")


def test_without_a_shell_it_stays_and_says_why() -> None:
    with Terminal("ws://127.0.0.1:1") as terminal:
        terminal.shows("No response from")
        terminal.press("\x1a")
        terminal.shows("cannot suspend: no shell started voicetop")
        terminal.press("q")
        assert terminal.ended() == 0


def test_stopped_and_continued_from_outside_it_paints_its_screen_again_and_leaves_cleanly() -> None:
    with Terminal("ws://127.0.0.1:1") as terminal:
        terminal.shows("No response from")
        terminal.process.send_signal(signal.SIGSTOP)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until(lambda _: terminal.raw.count(b"\x1b[?1049h") == 2)
        terminal.screen.reset()
        terminal.press("\x0c")
        terminal.shows("No response from")
        terminal.press("?")
        terminal.shows("Esc closes")
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.modes() == terminal.before
