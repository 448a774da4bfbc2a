"""The console in a terminal that hangs up, stands still or is killed, fed by a real hub."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from hub.clients import publisher, send, turn
from recording.recording_samples import Stamped, beat, read_all, record, welcome
from terminal.emulator import Terminal
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session
from voicetop.wire.frames import Welcome

EVERY_S = 0.02
EACH = 10


class Busy:
    """A hub with an agent on it that publishes turns all the time, each with the next number in its id."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.sent = 0

    async def publish(self) -> None:
        agent = await publisher(self.hub.url)
        while True:
            at = time.time()
            await send(agent, *(turn(self.sent + n, ts=at) for n in range(1, EACH + 1)))
            self.sent += EACH
            await asyncio.sleep(EVERY_S)


@contextlib.asynccontextmanager
async def busy() -> AsyncIterator[Busy]:
    hub = Hub(HubConfig(port=0, heartbeat_s=0.25), log=lambda _: None, new_session=Session)
    await hub.start()
    feed = Busy(hub)
    agent = asyncio.create_task(feed.publish())
    try:
        yield feed
    finally:
        agent.cancel()
        await hub.close()


async def meanwhile(terminal: Terminal, true: Callable[[str], Any], seconds: float = 60.0) -> str:
    """Read the terminal until it shows what is wanted, while the hub goes on."""
    async with asyncio.timeout(seconds):
        while not true(text := terminal.text):  # noqa: ASYNC110 - a terminal tells nobody
            await asyncio.sleep(0.02)
        return text


async def ended(terminal: Terminal, seconds: float = 30.0) -> int:
    async with asyncio.timeout(seconds):
        while (code := terminal.process.poll()) is None:
            terminal.pump()
            await asyncio.sleep(0.02)
        terminal.pump()
        return code


def numbers(records: list[Stamped | Welcome]) -> list[int]:
    """The turns of a recording by the numbers in their ids."""
    events = [msgspec.json.decode(item[3]) for item in records if not isinstance(item, Welcome)]
    return [int(event["event_id"][1:]) for event in events if "event_id" in event]


async def test_a_closed_terminal_ends_it_at_once_and_loses_less_than_a_second(tmp_path: Path) -> None:
    path = tmp_path / "a.vtr"
    async with busy() as feed:
        with Terminal(feed.hub.url, "--record", str(path)) as terminal:
            await meanwhile(terminal, lambda text: "LIVE CALLS" in text)
            await asyncio.sleep(1.0)
            before = feed.sent
            terminal.hang_up()
            assert await ended(terminal, 3.0) == -signal.SIGHUP
    records, notes = read_all(path)
    found = numbers(records)
    assert notes == []
    assert found[-1] > before - EACH / EVERY_S
    assert found == list(range(found[0], found[-1] + 1))


async def test_a_terminal_that_stands_still_for_5_s_costs_no_event_and_wakes_up_again(tmp_path: Path) -> None:
    path = tmp_path / "a.vtr"
    async with busy() as feed:
        with Terminal(feed.hub.url, "--record", str(path)) as terminal:
            await meanwhile(terminal, lambda text: "LIVE CALLS" in text)
            before = feed.sent
            await asyncio.sleep(5.0)
            after, sent_at = feed.sent, time.time()
            assert after > before + 500
            await meanwhile(terminal, lambda text: clock(text) >= time.time() - 1.5, 3.0)
            terminal.press("2")
            await meanwhile(terminal, lambda text: "── live calls" in text, 3.0)
            # What was sent by then is recorded before it quits.
            await meanwhile(terminal, lambda text: clock(text) > sent_at + 1.0)
            terminal.press("q")
            assert await ended(terminal) == 0
    records, notes = read_all(path)
    found = numbers(records)
    assert notes == []
    assert found == list(range(found[0], found[-1] + 1))
    assert found[-1] >= after
    assert b'"gap"' not in b"".join(item[3] for item in records if not isinstance(item, Welcome))


def clock(text: str) -> float:
    """The time in the screen's corner, as of today."""
    shown = re.search(r"(\d\d):(\d\d):(\d\d)", text.partition("\n")[0])
    if shown is None:
        return 0.0
    hours, minutes, seconds = map(int, shown.groups())
    now = time.localtime()
    at = time.mktime((now.tm_year, now.tm_mon, now.tm_mday, hours, minutes, seconds, 0, 0, -1))
    return at if at <= time.time() + 60 else at - 86_400  # it was read before midnight


async def test_leaving_puts_the_terminal_back_as_it_was() -> None:
    async with busy() as feed:
        with Terminal(feed.hub.url) as terminal:
            await meanwhile(terminal, lambda text: "LIVE CALLS" in text)
            assert terminal.modes() != terminal.before
            terminal.press("q")
            assert await ended(terminal) == 0
            assert terminal.modes() == terminal.before
    assert terminal.raw.count(b"\x1b[?1049h") == terminal.raw.count(b"\x1b[?1049l") == 1
    assert terminal.raw.rfind(b"\x1b[?25h") > terminal.raw.rfind(b"\x1b[?25l")


async def test_a_termination_leaves_the_terminal_and_the_recording_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.vtr"
    async with busy() as feed:
        with Terminal(feed.hub.url, "--record", str(path)) as terminal:
            await meanwhile(terminal, lambda text: "LIVE CALLS" in text)
            terminal.process.send_signal(signal.SIGTERM)
            assert await ended(terminal) == 0
            assert terminal.modes() == terminal.before
    assert read_all(path)[1] == []


async def test_a_hub_that_dies_is_blind_on_the_screen_and_one_that_comes_back_is_not() -> None:
    async with busy() as feed:
        port = feed.hub.port
        with Terminal(feed.hub.url) as terminal:
            await meanwhile(terminal, lambda text: "LIVE CALLS" in text)
            await feed.hub.close()
            text = await meanwhile(terminal, lambda text: "BLIND" in text)
            assert "RECONNECTING" in text
            again = Hub(HubConfig(port=port, heartbeat_s=0.25), log=lambda _: None, new_session=Session)
            await again.start()
            await meanwhile(terminal, lambda text: "BLIND" not in text and "LIVE" in text.partition("\n")[0])
            terminal.press("q")
            assert await ended(terminal) == 0
            await again.close()


def test_before_a_hub_is_there_the_screen_says_what_to_type() -> None:
    with Terminal("ws://127.0.0.1:1") as terminal:
        text = terminal.shows("No response from 127.0.0.1:1")
        assert "voicetop serve" in text
        assert "BLIND" not in text
        terminal.press("q")
        assert terminal.ended() == 0


def test_a_piped_recording_is_shown_with_keys_from_the_terminal(tmp_path: Path) -> None:
    frames = [welcome(0, 1.76e9), *(beat(seq, 1.76e9 + seq / 4) for seq in range(1, 9))]
    path = record(tmp_path / "a.vtr", frames)
    with path.open("rb") as file, Terminal("replay", "-", "--speed", "max", stdin=file.fileno()) as terminal:
        text = terminal.shows("end of recording")
        assert "REPLAY standard input" in text
        terminal.press("2")
        terminal.shows("── live calls")
        terminal.press("q")
        assert terminal.ended() == 0
