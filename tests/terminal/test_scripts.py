"""Calls named in scripts whose width terminals disagree about, in terminals that do: figures stay what they are."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest

from hub.clients import publisher, send
from terminal.emulator import Terminal
from terminal.test_tmux import Tmux
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session

NAMES = ["कॉल", "हिन्दी", "โทร", "வணக்கம்", "कॉल-हिन्दी", "❤️", "👩🏽", "🇩🇪", "骤", "plain", "مكالمة"]
INTENTS = ["बिलिंग", "ภาษาไทย", "பில்லிங்", "☎️ billing", "billing", "計費", "فوترة"]
ROW = re.compile(r"^ {3}(\S.*?-(\d+)) +(\d+:\d\d) +– .* – +0 +0\.00$")


class Shown(Protocol):
    """A terminal's text."""

    @property
    def text(self) -> str: ...


class Fleet:
    """Calls that come and go, and the times at which they began."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.began: dict[int, float] = {}
        self._next = 0

    async def calls(self, number: int, ended: int) -> None:
        """So many calls begin, and the oldest end, one by one."""
        agent = await publisher(self._hub.url)
        for _ in range(number):
            n = self._next = self._next + 1
            name = f"{NAMES[n % len(NAMES)]}-{n}"
            segments = {"intent": INTENTS[n % len(INTENTS)], "language": "hi"}
            now = self.began[n] = time.time()
            await send(agent, {"type": "call.start", "ts": now, "call_id": name, "segments": segments})
            if len(self.began) > ended:
                old = min(self.began)
                del self.began[old]
                name = f"{NAMES[old % len(NAMES)]}-{old}"
                await send(agent, {"type": "call.end", "ts": now, "call_id": name, "reason": "completed"})
            await asyncio.sleep(0.03)  # so that several frames show them
        await agent.close()

    def is_shown(self, text: str) -> bool:
        """Whether exactly its calls are on the screen, each with its age."""
        rows = [ROW.match(line.rstrip()) for line in text.splitlines()[5:-1] if line.strip()]
        if any(row is None for row in rows):
            return False
        ages = {int(row[2]): row[3] for row in rows if row}
        now = time.time()
        return ages.keys() == self.began.keys() and all(
            minutes_and_seconds(ages[n]) == pytest.approx(now - began, abs=3.0)
            for n, began in self.began.items()
        )


def minutes_and_seconds(age: str) -> float:
    minutes, _, seconds = age.partition(":")
    return int(minutes) * 60 + int(seconds)


@contextlib.asynccontextmanager
async def fleet() -> AsyncIterator[tuple[Fleet, str]]:
    hub = Hub(HubConfig(port=0, heartbeat_s=0.25), log=lambda _: None, new_session=Session)
    await hub.start()
    try:
        yield Fleet(hub), hub.url
    finally:
        await hub.close()


async def until(terminal: Shown, true: Callable[[str], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true(text := await asyncio.to_thread(lambda: terminal.text)):
        assert time.monotonic() < end, text
        await asyncio.sleep(0.05)


async def go_through(calls: Fleet, terminal: Shown, press: Callable[[str], None]) -> None:
    """Rows that come, and rows that replace each other, on this screen and under another one."""
    await until(terminal, lambda text: "LIVE CALLS" in text)
    press("2")
    await until(terminal, lambda text: "── live calls" in text)
    for ended in (30, 12, 12):
        await calls.calls(25, ended)
        await until(terminal, calls.is_shown)
    press("1")
    await until(terminal, lambda text: "response time" in text and not re.search(r"\d骤|骤\d", text))
    press("2")
    await until(terminal, calls.is_shown)


async def test_ages_are_right_in_a_terminal_that_drops_what_it_cannot_draw() -> None:
    async with fleet() as (calls, url):
        with Terminal(url, columns=120, lines=40, COLUMNS="120", LINES="40") as terminal:
            await go_through(calls, terminal, terminal.press)


@pytest.mark.debian
@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
async def test_ages_are_right_in_tmux_which_gives_every_vowel_sign_a_cell(tmp_path: Path) -> None:
    async with fleet() as (calls, url):
        tmux = Tmux(tmp_path, 120, 40)
        try:
            await asyncio.to_thread(tmux.type, f"clear; exec {sys.executable} -m voicetop {url}")
            await go_through(calls, tmux, tmux.press)
        finally:
            tmux.end()
