"""An operator's action at one console appears on every other, with the author, and in every recording."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from voicetop.connection.backoff import Backoff
from voicetop.engine.snapshot import Snapshot, View
from voicetop.hub import Hub, HubConfig, Token
from voicetop.live import LiveFeed
from voicetop.recording import Recorder
from voicetop.recording.notes import Notebook
from voicetop.replay.options import HistoryLimits
from voicetop.session import Session
from voicetop.sources import Act, LinkState
from voicetop.sources.operator_events import author
from voicetop.sources.socket import SocketSource
from voicetop.wire.values import MAX_TEXT

TOKENS = (Token("operator", "the-operators-secret"), Token("viewer", "the-viewers-secret"))
AT_ONCE = 0.05

Open = Callable[..., LiveFeed]


@pytest.fixture
def console() -> Iterator[Open]:
    """Opens consoles, as `voicetop URL` does, and closes them."""
    feeds: list[LiveFeed] = []

    def start(url: str, token: str | None = None, by: str = "ada", record: Path | None = None) -> LiveFeed:
        def source() -> tuple[SocketSource, Recorder | None]:
            backoff = Backoff(first=AT_ONCE, limit=0.2)
            return SocketSource(url, token, backoff=backoff), Recorder(record) if record else None

        feeds.append(LiveFeed(source, author=by, limits=HistoryLimits()))
        feeds[-1].start()
        return feeds[-1]

    yield start
    for feed in feeds:
        feed.close()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub(HubConfig(port=0))
    await hub.start()
    yield hub
    await hub.close()


async def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - another thread's
            await asyncio.sleep(0.01)


async def shown(feed: LiveFeed) -> Snapshot:
    await until(lambda: feed.latest is not None and feed.link.phase == "live")
    assert feed.latest is not None
    return feed.latest


def memos(feed: LiveFeed) -> list[tuple[str, str, str]]:
    latest = feed.latest
    return [(memo.act, memo.text, memo.by) for memo in latest.memos] if latest is not None else []


async def test_a_note_reaches_other_consoles_and_their_recordings(
    hub: Hub, console: Open, tmp_path: Path
) -> None:
    ada, noor = console(hub.url), console(hub.url, by="noor", record=tmp_path / "a.vtr")
    now = (await shown(ada)).at
    await shown(noor)
    assert ada.operate(Act("note", text="callers wait\x1b[2J", at=now - 30.0)) == ""
    assert noor.operate(Act("bookmark")) == ""
    both = [("note", "callers wait[2J", "ada"), ("bookmark", "", "noor")]
    await until(lambda: memos(ada) == memos(noor) == both)
    assert ada.latest is not None
    assert ada.latest.memos[0].at == pytest.approx(now - 30.0, abs=0.001)
    assert ada.latest.feed.lag_s != ada.latest.feed.lag_s or ada.latest.feed.lag_s < 5
    noor.close()
    assert [(n.act.text, n.act.by) for n in Notebook(tmp_path / "a.vtr").notes()] == [
        ("callers wait[2J", "ada"),
        ("", "noor"),
    ]


async def test_a_note_reaches_late_joiners(hub: Hub, console: Open) -> None:
    ada = console(hub.url)
    await shown(ada)
    ada.operate(Act("note", text="v42 is out"))
    await until(lambda: memos(ada))
    late = console(hub.url)
    await until(lambda: memos(late) == [("note", "v42 is out", "ada")])


async def test_a_note_about_a_call_is_shown_in_that_call(hub: Hub, console: Open) -> None:
    from hub.clients import publisher, send

    agent = await publisher(hub.url)
    ada = console(hub.url)
    now = (await shown(ada)).at
    start = {"type": "call.start", "ts": now - 5, "call_id": "c1"}
    turn = {
        "type": "turn",
        "ts": now - 2,
        "call_id": "c1",
        "turn": 0,
        "e2e_ms": 900.0,
        "user_text": "hello",
    }
    await send(agent, start, turn)
    ada.ask(View(call_id="c1"))
    await until(lambda: ada.latest is not None and ada.latest.detail is not None)
    ada.operate(Act("note", text="she hears an echo", call_id="c1", at=now - 1))

    def noted() -> list[str]:
        detail = ada.latest.detail if ada.latest is not None else None
        return [item.text for turn in detail.turns for item in turn.items] if detail is not None else []

    await until(lambda: "ada: she hears an echo" in noted())
    await agent.close()


async def test_going_back_in_time_shows_notes_added_later(hub: Hub, console: Open) -> None:
    feed = console(hub.url)
    await shown(feed)
    begun = (await shown(feed)).at
    await until(lambda: feed.latest is not None and feed.latest.at > begun + 2.0)
    feed.operate(Act("note", text="it began here", at=begun + 0.5))
    await until(lambda: memos(feed))
    past = feed.past
    assert past is not None
    past.seek(begun + 1.0)
    await until(lambda: past.latest is not None and abs(past.latest.at - begun - 1.0) < 0.3)
    assert past.latest is not None
    assert [memo.text for memo in past.latest.memos] == ["it began here"]


async def test_a_viewers_act_is_refused_in_one_line(console: Open) -> None:
    hub = Hub(HubConfig(port=0, tokens=TOKENS))
    await hub.start()
    try:
        operator, viewer = console(hub.url, TOKENS[0].secret), console(hub.url, TOKENS[1].secret, by="vic")
        await shown(viewer)
        await shown(operator)
        where = hub.url.removeprefix("ws://")
        assert viewer.operate(Act("note", text="x")) == (
            f"{where}: a viewer's token is read-only; use an operator's token to act"
        )
        assert operator.operate(Act("ack", target="i1")) == ""
        assert operator.operate(Act("note", text="seen")) == ""
        await until(lambda: memos(viewer) == [("note", "seen", "ada")])
        assert (viewer.link.phase, viewer.error) == ("live", "")
    finally:
        await hub.close()


async def test_without_tokens_a_console_may_act_unless_viewers_get_no_transcripts(
    console: Open,
) -> None:
    hub = Hub(HubConfig(port=0, transcripts_for_viewers=False))
    await hub.start()
    try:
        feed = console(hub.url)
        await shown(feed)
        assert "your access is read-only" in feed.operate(Act("note", text="x"))
    finally:
        await hub.close()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"text": "x" * (MAX_TEXT + 1)}, "the note has 20,001 characters; at most 20,000 are allowed"),
        ({"target": "x" * 600}, "the name has more than 512 characters: shorten it"),
        ({"until": 1e20}, "note can't be sent: its time or its end is invalid"),
    ],
)
async def test_invalid_acts_are_not_sent(hub: Hub, console: Open, words: dict[str, Any], why: str) -> None:
    feed = console(hub.url)
    await shown(feed)
    assert feed.operate(Act("note", **words)) == why
    feed.operate(Act("note", text="fine"))
    await until(lambda: memos(feed) == [("note", "fine", "ada")])
    assert feed.latest is not None
    assert feed.latest.feed.malformed == 0


async def test_a_feed_that_takes_no_acts_says_so(console: Open) -> None:
    class Silent:
        link = LinkState("live")

        async def frames(self) -> AsyncIterator[bytes]:
            yield b'{"type":"batch","seq":1,"at":[[5,1]],"events":[{"type":"heartbeat","ts":5,"seq":1}]}'
            await asyncio.sleep(60)

    feed = LiveFeed(lambda: (Silent(), None))
    assert feed.operate(Act("note")) == "nothing received from this feed yet: nothing was sent"
    feed.start()
    await until(lambda: feed.latest)
    assert feed.operate(Act("note")) == "this feed accepts no notes or actions: nothing was sent"
    feed.close()


class KillableHub:
    """`voicetop serve` in its own process, on a port that it keeps across restarts."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "voicetop", "serve", "--port", str(self.port)], stderr=subprocess.DEVNULL
        )

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self._process.pid, number)
        if number == signal.SIGKILL:
            self._process.wait()


@pytest.fixture
def hub_process() -> Iterator[KillableHub]:
    hub = KillableHub()
    yield hub
    hub.kill()


async def test_a_killed_hub_is_reported_and_accepts_acts_again_on_return(
    hub_process: KillableHub, console: Open
) -> None:
    feed = console(hub_process.url)
    await shown(feed)
    feed.operate(Act("note", text="before"))
    await until(lambda: memos(feed))
    hub_process.kill()
    await until(lambda: feed.link.phase == "reconnecting")
    assert feed.operate(Act("note", text="lost?")).startswith(
        f"no connection to 127.0.0.1:{hub_process.port}: nothing"
    )
    hub_process.start()
    await shown(feed)
    assert feed.operate(Act("note", text="after")) == ""
    await until(lambda: ("note", "after", "ada") in memos(feed))


async def test_a_pending_act_is_sent_to_the_next_hub(hub_process: KillableHub, console: Open) -> None:
    feed = console(hub_process.url)
    await shown(feed)
    hub_process.kill(signal.SIGSTOP)  # the kernel accepts data that the process never reads
    assert feed.operate(Act("note", text="in the air")) == ""
    await asyncio.sleep(0.2)
    hub_process.kill()
    hub_process.start()
    await until(lambda: memos(feed) == [("note", "in the air", "ada")])


async def test_an_act_is_recorded_once_if_its_connection_breaks(hub: Hub, console: Open) -> None:
    feed = console(hub.url)
    await shown(feed)
    for number in range(5):
        assert feed.operate(Act("note", text=str(number))) == ""
        for held in list(hub.consoles):
            held.client.transport.abort()
        await until(lambda: hub.consoles and feed.link.phase == "live")
        await until(lambda: len(memos(feed)) == number + 1)  # noqa: B023
    joined = Session()
    async for frame in SocketSource(hub.url).frames():
        joined.feed(frame)
        if joined.at:
            break
    assert [act.text for act in joined.engine.operators] == list("01234")


def test_the_author_is_the_given_name_else_the_logged_in_user() -> None:
    assert author("ada", {"USER": "root"}) == "ada"
    assert author("", {"USER": "root\x1b"}) == "root"
    assert author(" ", {"LOGNAME": "noor"}) == "noor"
    assert author("", {}) == "somebody"
