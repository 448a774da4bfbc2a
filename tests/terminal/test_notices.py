"""How an alert reaches a person at a console: read from the bytes that the terminal gets, tmux in between or not."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.clients import publisher, send
from terminal.emulator import Terminal
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session

NOTICE = "■ CRITICAL · security"
EVENT = {"type": "security", "kind": "leak", "label": "token in a prompt", "severity": "critical"}
QUIET_SSH = {"SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub(HubConfig(port=0, deployment="acme-prod"), new_session=Session)
    await hub.start()
    yield hub
    await hub.close()


async def until(true: Callable[[], object], pump: Callable[[float], None], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.to_thread(pump, 0.05)


def rings(raw: bytes) -> int:
    """Bells, without those that only end an operating system command."""
    return re.sub(rb"\x1b\][^\x07\x1b]*(\x07|\x1b\\)", b"", raw).count(b"\x07")


async def leak(hub: Hub) -> None:
    connection = await publisher(hub.url)
    await send(connection, {"ts": time.time(), **EVENT})
    await connection.close()


async def test_a_terminal_rings_pops_up_and_is_named_after_the_verdict(hub: Hub, tmp_path: Path) -> None:
    env: dict[str, Any] = {
        **QUIET_SSH,
        "TERM": "xterm-kitty",
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
    }
    with Terminal(hub.url, **env) as terminal:
        await until(lambda: "● LIVE" in terminal.text, terminal.pump)
        await until(lambda: "\x1b]2;◌ LEARNING · acme-prod\x07".encode() in terminal.raw, terminal.pump)
        before = len(terminal.raw)
        await leak(hub)
        await until(
            lambda: b"\x1b]99;" in terminal.raw[before:] and rings(terminal.raw[before:]), terminal.pump
        )
        assert f"p=title;{NOTICE}".encode() in terminal.raw[before:]
        os.write(terminal._fd, b"q")
        await until(lambda: terminal.process.poll() is not None, terminal.pump)
        terminal.pump(0.2)
        assert terminal.raw.rstrip().endswith(b"\x1b[23;0t")


async def test_lines_instead_of_a_screen_ring_too_and_stay_lines(hub: Hub, tmp_path: Path) -> None:
    env: dict[str, Any] = {**QUIET_SSH, "TERM": "xterm-kitty", "XDG_CONFIG_HOME": str(tmp_path)}
    with Terminal(hub.url, "--plain", **env) as terminal:
        await until(lambda: b" | live 0" in terminal.raw, terminal.pump)
        await leak(hub)
        await until(lambda: b"\x1b]99;" in terminal.raw and rings(terminal.raw), terminal.pump)
        assert f"p=title;{NOTICE}".encode() in terminal.raw
        assert b"\x1b]2;" not in terminal.raw
        await until(lambda: b"DOWN" in terminal.raw or b"DEGRADED" in terminal.raw, terminal.pump)


async def test_lines_in_a_pipe_have_no_bells(hub: Hub, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicetop", hub.url, "--plain"),
        env={**os.environ, **QUIET_SSH, "XDG_CONFIG_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    said = await asyncio.wait_for(process.stdout.readline(), 40)
    await leak(hub)
    while b"security" not in said:
        said += await asyncio.wait_for(process.stdout.readline(), 40)
    process.terminate()
    out, err = await process.communicate()
    assert b"\x07" not in said + out + err
    assert b"\x1b" not in said + out + err


async def test_a_replay_rings_nobody(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "leak.vtr"
    env: dict[str, Any] = {
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path),
        "TERM": "xterm-kitty",
    }
    recorder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicetop", "record", hub.url, "-o", str(path)), stderr=subprocess.DEVNULL
    )
    await leak_until(hub, lambda: path.exists() and path.stat().st_size > 0)
    await asyncio.sleep(1.2)
    recorder.terminate()
    await recorder.wait()
    with Terminal("replay", str(path), "--speed", "max", **env) as terminal:
        await asyncio.to_thread(terminal.until, lambda text: "token in a prompt" in text)
        await asyncio.to_thread(terminal.pump, 0.7)
        assert rings(terminal.raw) == 0
        assert b"\x1b]99;" not in terminal.raw
        assert b"\x1b]2;" not in terminal.raw


async def leak_until(hub: Hub, true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - the file of another process
            await asyncio.sleep(0.05)
    await leak(hub)


class TmuxClient:
    """A tmux with a client in a terminal of the test's own, whose bytes are kept; a console runs in its one pane."""

    def __init__(self, folder: Path, url: str, settings: str) -> None:
        (folder / "voicetop").mkdir()
        (folder / "voicetop" / "config.toml").write_text('[notify]\nterminal = "osc777"\n')
        (folder / "tmux.conf").write_text(settings)
        self.raw = b""
        self._tmux = ["tmux", "-S", str(folder / "socket"), "-f", str(folder / "tmux.conf")]
        self._fd, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        env = {key: value for key, value in os.environ.items() if key != "TMUX"}
        self.process = subprocess.Popen(
            [*self._tmux, "new-session", f"{sys.executable} -m voicetop {url}"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env={
                **env,
                **QUIET_SSH,
                "TERM": "xterm-256color",
                "LC_ALL": "C.UTF-8",
                "XDG_CONFIG_HOME": str(folder),
                "XDG_STATE_HOME": str(folder),
            },
        )
        os.close(terminal)

    def pump(self, seconds: float) -> None:
        while select.select([self._fd], [], [], seconds)[0]:
            self.raw += os.read(self._fd, 65536)
            seconds = 0.0

    @property
    def text(self) -> str:
        done = subprocess.run(
            [*self._tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False
        )
        return done.stdout

    def end(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)
        self.process.wait(10)
        os.close(self._fd)


@pytest.fixture(params=["on", "off"])
def tmux(request: pytest.FixtureRequest, hub: Hub, tmp_path: Path) -> Iterator[TmuxClient]:
    client = TmuxClient(
        tmp_path, hub.url, f"set -g allow-passthrough {request.param}\nset -g visual-bell off\n"
    )
    client.passes = request.param == "on"  # type: ignore[attr-defined]
    yield client
    client.end()


@pytest.mark.debian
@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
async def test_through_tmux_the_bell_always_comes_and_a_pop_up_where_it_lets_it_pass(
    hub: Hub, tmux: TmuxClient
) -> None:
    await until(lambda: "● LIVE" in tmux.text, tmux.pump)
    await asyncio.to_thread(tmux.pump, 0.5)
    before = len(tmux.raw)
    await leak(hub)
    passes = tmux.passes  # type: ignore[attr-defined]
    popped_up = f"\x1b]777;notify;{NOTICE}".encode()
    await until(
        lambda: rings(tmux.raw[before:]) and (popped_up in tmux.raw[before:] or not passes), tmux.pump
    )
    assert (popped_up in tmux.raw) == passes
    assert b"tmux;" not in tmux.raw
