from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from hub.clients import Watcher, publisher, send, turn, until
from voicetop.cli import parse, run
from voicetop.errors import HistoryError
from voicetop.history.incidents import PastIncident, incidents_since
from voicetop.history.store import Store
from voicetop.recording import Reader
from voicetop.session import Session
from voicetop.sources.socket import SocketSource
from voicetop.wire.codec import Beat

CERTIFICATE = str(Path(__file__).parent.parent / "hub" / "localhost-cert.pem")


class Served:
    """A `voicetop serve` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, lines: list[str]) -> None:
        self.process = process
        self.lines = lines

    @property
    def url(self) -> str:
        found = re.search(r"the hub is at (\S+);", "\n".join(self.lines))
        assert found, self.lines
        return found[1]

    async def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        assert self.process.stderr
        rest = (await asyncio.wait_for(self.process.stderr.read(), 40)).decode()
        return await self.process.wait(), rest


@contextlib.asynccontextmanager
async def serving(*options: str, **env: str) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicetop", "serve", "--port", "0", *options),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **env},
    )
    assert process.stderr
    try:
        line = await asyncio.wait_for(process.stderr.readline(), 40)
        yield Served(process, [line.decode()])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_it_with_goodbyes_and_a_whole_recording(
    number: signal.Signals, tmp_path: Path
) -> None:
    async with serving("--record", str(tmp_path), "--capacity", "250", "--deployment", "staging") as served:
        watcher = await Watcher.open(served.url)
        agent = await publisher(served.url)
        await send(agent, *[turn(number) for number in range(100)])
        await watcher.read_until(lambda it: any(event.get("event_id") == "e99" for event in it.events))
        code, words = await served.end(number)
        with pytest.raises(ConnectionClosed) as closed:
            await watcher.read_until(lambda _: False)
        await agent.close()
    assert code == 0
    assert "stopping" in words
    assert "Traceback" not in words
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    [name] = os.listdir(tmp_path)  # noqa: PTH208
    assert name.startswith("voicetop-")
    recorded = b"".join(frame for frame in Reader(tmp_path / name))
    assert all(b'"event_id":"e%d"' % number in recorded for number in range(100))
    assert b'"limit":250' in recorded


async def test_the_capacity_of_the_config_is_that_of_the_hub(tmp_path: Path) -> None:
    (tmp_path / "voicetop").mkdir()
    (tmp_path / "voicetop" / "config.toml").write_text("capacity = 300\n")
    async with serving(XDG_CONFIG_HOME=str(tmp_path)) as served:
        agent = await publisher(served.url)
        await send(agent, {"type": "capacity", "ts": time.time(), "source": "fleet", "limit": 40})
        session, source = Session(), SocketSource(served.url)
        async with contextlib.aclosing(source.frames()) as frames, asyncio.timeout(30):
            async for frame in frames:
                session.feed(frame)
                if session.engine.load.published == 40:
                    break
        assert session.engine.load.limit == 300
        await agent.close()


def test_the_service_file_calls_it_as_it_is() -> None:
    service = Path(__file__).parents[2] / "examples" / "voicetop-serve.service"
    line = next(line for line in service.read_text().splitlines() if line.startswith("ExecStart="))
    args = parse(["serve", *line.partition("voicetop serve ")[2].split()])
    assert (args.record, args.shard, args.keep, args.keep_size) == (
        "${STATE_DIRECTORY}/recordings/",
        "1h",
        "7d",
        "20GB",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--record", "a.vtr", "--keep", "7d"], "--keep needs a folder of files: give --record FOLDER/"),
        (["--keep-size", "2GB"], "--keep-size needs a folder of files: give --record FOLDER/"),
        (["--record", "a/", "--shard", "0.1s"], "--shard 0.1s: give at least 1s"),
        (["--record", "a/", "--keep", "soon"], "'soon' is not a length of time"),
    ],
)
def test_options_of_a_folder_are_one_line_where_they_are_wrong(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


async def test_tokens_come_from_the_file_that_the_environment_names(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("viewer the-viewers-secret\n")
    async with serving(VOICETOP_TOKENS=str(file)) as served:
        watcher = await Watcher.open(served.url, "the-viewers-secret")
        assert (await watcher.read())["type"] == "welcome"
        await watcher.connection.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "--cert and --key and --token-file"),
        (["--port", "70000"], "--port 70000: give a whole number from 0 to 65,535"),
        (["--capacity", "-1"], "--capacity -1"),
        (["--cert", "nowhere.pem"], "no file nowhere.pem"),
        (["--cert", CERTIFICATE], "its certificate and key don't match"),
        (["--key", CERTIFICATE], "TLS takes both"),
        (["--token-file", "nowhere"], "nowhere: cannot read the tokens"),
        (["--record", "/nowhere/x.vtr"], "no folder /nowhere"),
    ],
)
def test_what_cannot_work_is_one_clear_line_and_exit_2(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", "--port", "0", *options]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_tokens_may_stand_in_the_environment_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VOICETOP_TOKENS", "viewer short")
    assert run(["serve", "--port", "0"]) == 2
    assert "VOICETOP_TOKENS, line 1: a token needs 16" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _keep_switch_interval() -> Iterator[None]:
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)


async def test_incidents_are_kept_in_a_history(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    async with serving("--history", str(path)) as served:
        agent = await publisher(served.url)
        await send(
            agent, {"type": "security", "ts": 1.0, "kind": "leak", "label": "a token", "severity": "critical"}
        )
        async with asyncio.timeout(60):
            while not _kept(path):  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.1)
        await agent.close()
    assert [(one.family, one.tier) for one in _kept(path)] == [("security", "critical")]


def _kept(path: Path) -> list[PastIncident]:
    with contextlib.suppress(HistoryError):
        store = Store(path)
        try:
            return incidents_since(store, 0.0)
        finally:
            store.close()
    return []


async def test_a_console_that_told_the_time_by_itself_is_soon_as_all_others_again() -> None:
    async with serving() as served:
        agent = await publisher(served.url)
        await send(agent, *({"type": "call.start", "ts": time.time(), "call_id": f"c{i}"} for i in range(9)))
        await send(agent, *({"type": "turn.start", "ts": time.time(), "call_id": f"c{i}"} for i in range(9)))
        digests: dict[str, dict[int, str]] = {"here": {}, "fresh": {}}
        local: list[Beat] = []

        async def follow(name: str) -> None:
            session = Session()

            def note(beat: Beat) -> None:
                local.extend([beat] * beat.local)
                digests[name][beat.seq] = session.digest()

            session.on_beat.append(note)
            async for frame in SocketSource(served.url, silent_after_s=0.6).frames():
                session.feed(frame)

        tasks = [asyncio.create_task(follow("here"))]
        await until(lambda: len(digests["here"]) >= 2)
        served.process.send_signal(signal.SIGSTOP)
        await until(lambda: len(local) >= 3)
        served.process.send_signal(signal.SIGCONT)
        tasks.append(asyncio.create_task(follow("fresh")))
        await until(lambda: len(digests["fresh"]) >= 4, 20)
        await until(lambda: max(digests["here"]) >= max(digests["fresh"]), 20)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        both = sorted(digests["here"].keys() & digests["fresh"].keys())
        assert digests["here"][both[-1]] == digests["fresh"][both[-1]]
        await agent.close()
