"""Programs run to their end, or are over when the console is."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from voicetop.ui.terminal.programs import run_program


async def test_a_program_gets_its_input_and_tells_how_it_ended(tmp_path: Path) -> None:
    told = tmp_path / "told"
    given = b"words " * 100_000
    assert await run_program(["sh", "-c", f"cat > {told}; exit 3"], given=given, timeout_s=60) == 3
    assert told.read_bytes() == given


async def test_one_that_takes_too_long_is_killed() -> None:
    assert await run_program(["sleep", "600"], timeout_s=0.05) < 0


async def test_nothing_is_left_of_one_whose_console_closes_however_often_it_is_cancelled(
    tmp_path: Path,
) -> None:
    started = tmp_path / "pid"
    running = asyncio.create_task(
        run_program(
            ["sh", "-c", f"echo $$ > {started}.new; mv {started}.new {started}; sleep 600"], timeout_s=600
        )
    )
    async with asyncio.timeout(60):
        while not started.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    running.cancel()
    asyncio.get_running_loop().call_soon(running.cancel)
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):  # a zombie would still be there
        os.kill(int(started.read_text()), 0)


async def test_a_program_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match="No such file"):
        await run_program(["voicetop-has-no-such-program"], timeout_s=1)
