"""Cases 11b and 30: names in scripts whose width terminals disagree about, and another locale."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cases.case_files import case
from hub.clients import publisher, send
from terminal.emulator import Terminal
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session

AGE = re.compile(r" (\d:\d\d) ")


@asynccontextmanager
async def hub() -> AsyncIterator[str]:
    running = Hub(HubConfig(port=0), log=lambda _: None, new_session=Session)
    await running.start()
    try:
        yield running.url
    finally:
        await running.close()


async def test_11b_rows_that_take_each_others_place_keep_no_cells_of_each_other() -> None:
    lines = case("11b-widths-min.jsonl").read_text().splitlines()[1:]
    async with hub() as url:
        agent = await publisher(url)
        began: list[float] = []

        def all_shown(text: str) -> bool:
            return ages(text) == len(began)

        with Terminal(url, columns=120, lines=40, COLUMNS="120", LINES="40") as terminal:
            await asyncio.to_thread(terminal.until, lambda text: "LIVE CALLS" in text)
            terminal.press("2")
            await asyncio.to_thread(terminal.until, lambda text: "── live calls" in text)
            for event in map(json.loads, lines):
                if "wait" in event:  # until it is on the screen
                    await asyncio.to_thread(terminal.until, all_shown)
                    continue
                began += [time.time()] if event["type"] == "call.start" else []
                await send(agent, {"ts": time.time(), **event})
            text = await asyncio.to_thread(terminal.until, all_shown)
        await agent.close()
    oldest = time.time() - began[0] + 3
    for row in rows(text):
        [age] = AGE.findall(row)
        assert int(age[0]) * 60 + int(age[2:]) <= oldest, text


def rows(text: str) -> list[str]:
    """The rows of the calls."""
    return [line for line in text.splitlines()[5:-1] if line.strip()]


def ages(text: str) -> int:
    """The number of calls on the screen; -1 while a row doesn't have one age."""
    found = [len(AGE.findall(row)) for row in rows(text)]
    return len(found) if found == [1] * len(found) else -1


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "latin-1"}, {}])
async def test_30_plain_lines_are_ascii_in_every_locale(env: dict[str, str], tmp_path: Path) -> None:
    case("30-plain-latin1.sh")
    async with hub() as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "voicetop", "--plain", "--ascii", url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), **env},
        )  # fmt: skip
        assert process.stdout is not None
        async with asyncio.timeout(60):
            lines = [await process.stdout.readline() for _ in range(2)]
            process.terminate()
            _, errors = await process.communicate()
    assert errors == b""
    assert b"live 0" in lines[1]
    assert b"".join(lines).isascii()
