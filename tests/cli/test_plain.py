"""`--plain`: a line a second, in real processes on real hubs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import get_args

import pytest
from msgspec.structs import replace

from hub.clients import publisher, send
from recording.recording_samples import batch, beat, record, welcome
from ui import synthetic
from voicetop.cli.plain import line
from voicetop.engine.snapshot import Severity, Verdict
from voicetop.hub import Hub, HubConfig, Token
from voicetop.session import Session

AT = 1_760_000_000.0
LINE = re.compile(r"\d\d:\d\d:\d\dZ [A-Z]+( since \d\d:\d\d)? · .+ \| live \d+.* · lag ")


class Printing:
    """`voicetop ... --plain` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self, seconds: float = 30.0) -> str:
        assert self.process.stdout
        return (await asyncio.wait_for(self.process.stdout.readline(), seconds)).decode()

    async def until(self, true: Callable[[str], object], seconds: float = 30.0) -> str:
        async with asyncio.timeout(seconds):
            while not true(said := await self.line()):
                assert said, "it ended"
            return said

    async def end(self, number: signal.Signals | None = None) -> tuple[int, str]:
        if number is not None:
            self.process.send_signal(number)
        _, said = await asyncio.wait_for(self.process.communicate(), 40)
        assert self.process.returncode is not None
        return self.process.returncode, said.decode()


@contextlib.asynccontextmanager
async def printing(*words: str, **env: str) -> AsyncIterator[Printing]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicetop", *words, "--plain"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **env},
    )
    try:
        yield Printing(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@contextlib.asynccontextmanager
async def hub(port: int = 0, **options: object) -> AsyncIterator[Hub]:
    running = Hub(
        HubConfig(port=port, heartbeat_s=0.25, **options),  # type: ignore[arg-type]
        log=lambda _: None,
        new_session=Session,
    )
    await running.start()
    try:
        yield running
    finally:
        await running.close()


def test_a_line_says_the_verdict_and_the_figures_that_it_rests_on() -> None:
    said = line(synthetic.incident())
    assert LINE.match(said)
    assert said.startswith("14:07:32Z DEGRADED since ")
    assert re.search(r"p95 (≥ )?[\d,]+ ms n \d+", said)
    assert "\n" not in said


def test_a_figure_of_nothing_is_left_out() -> None:
    said = line(synthetic.empty())
    assert LINE.match(said)
    assert said.endswith("| live 0 · stuck 0/0 · lag 0.0 s")


def test_too_few_calls_are_no_figure() -> None:
    snap = synthetic.busy()
    few = replace(snap.outcome, success=replace(snap.outcome.success, n=8, few=True))
    assert "· success too few (n=8) · abandoned " in line(replace(snap, outcome=few))


def test_figures_of_a_young_feed_say_how_little_they_cover() -> None:
    said = line(synthetic.young())
    assert re.search(
        r"p95 [\d,]+ ms n [\d,]+ turns \(2 of 5 min\) · errors .* n \d+ calls \(2 of 5 min\)", said
    )
    assert re.search(
        r"success .* n \d+ calls \(2 of 30 min\) · .* n \d+ calls \(2 of 30 min\) · cost .*\(2 of 30 min\)",
        said,
    )


def test_while_history_is_loading_there_are_no_figures() -> None:
    loading = Verdict("catching_up", "history is loading, events are 26 min behind")
    said = line(replace(synthetic.busy(), verdict=loading))
    assert said == "14:07:32Z CATCHING UP · history is loading, events are 26 min behind"


@pytest.mark.parametrize("severity", get_args(Severity))
def test_every_severity_is_a_word(severity: Severity) -> None:
    said = line(replace(synthetic.busy(), verdict=Verdict(severity, "…")))
    assert said.partition(" ")[2].startswith(f"{severity.upper().replace('_', ' ')} · …")


async def test_a_line_a_second_with_live_figures_until_it_is_told_to_end() -> None:
    async with hub() as running, printing(running.url) as plain:
        agent = await publisher(running.url)
        await send(agent, {"type": "call.start", "call_id": "c1", "ts": running_now()})
        await plain.until(lambda said: "live 1" in said)
        stamps = [(await plain.line())[:8] for _ in range(3)]
        assert len(set(stamps)) == 3
        assert await plain.end(signal.SIGINT) == (0, "")
        await agent.close()


def running_now() -> float:
    import time

    return time.time()


async def test_before_the_hub_it_says_what_it_waits_for_then_blind_then_live_again() -> None:
    async with hub() as running:
        port = running.port
    async with printing(f"ws://127.0.0.1:{port}") as plain:
        assert await plain.line() == (
            f"no feed yet · 127.0.0.1:{port}: nothing listens there · retrying; "
            "run `voicetop serve` to start a hub\n"
        )
        async with hub(port):
            assert LINE.match(await plain.line())
        await plain.until(lambda said: "BLIND" in said)
        async with hub(port):
            await plain.until(lambda said: "BLIND" not in said)


async def test_a_wrong_token_is_one_line_and_exit_2() -> None:
    async with (
        hub(tokens=(Token("viewer", "0123456789abcdef"),)) as running,
        printing(running.url, VOICETOP_TOKEN="wrong") as plain,
    ):
        assert await plain.end() == (
            2,
            f"voicetop: {running.url} refused: this hub requires a valid token\n",
        )


async def test_a_replay_ends_with_its_last_picture_and_what_could_not_be_read(tmp_path: Path) -> None:
    frames = [welcome(0, AT)]
    for second in range(8):
        call = {"type": "call.start", "call_id": f"c{second}", "ts": AT + second}
        frames.append(batch(1 + 2 * second, AT + second, call))
        frames.append(beat(2 + 2 * second, AT + second + 0.5))
    path = record(tmp_path / "a.vtr", frames)
    with path.open("ab") as file:
        file.write(path.read_bytes()[-40:])
    async with printing("replay", str(path), "--speed", "max") as plain:
        await plain.until(lambda said: "live 8" in said)
        code, error = await plain.end()
    assert code == 0
    assert error.startswith("voicetop: ")
    assert error.count("\n") == 1
    assert str(path) in error


async def test_a_reader_that_leaves_ends_it_quietly() -> None:
    async with hub() as running:
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} -m voicetop {running.url} --plain | head -n 1",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, error = await asyncio.wait_for(process.communicate(), 40)
    assert LINE.match(said.decode())
    assert error == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_flushes_the_recording(number: signal.Signals, tmp_path: Path) -> None:
    from recording.recording_samples import read_all

    path = tmp_path / "a.vtr"
    async with hub() as running, printing(running.url, "--record", str(path)) as plain:
        await plain.line()
        await plain.line()
        assert await plain.end(number) == (0, "")
        _, notes = read_all(path)
    assert notes == []
