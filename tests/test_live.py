"""A feed that runs by itself, whatever the screen, the source or the disk does meanwhile."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from recording.recording_samples import beat, read_all, welcome
from voicetop.engine.snapshot import Snapshot, View
from voicetop.errors import FeedError, FeedRefused
from voicetop.live import LiveFeed
from voicetop.recording import Recorder
from voicetop.sources import LinkState, Source

AT = 1_760_000_000.0


class ByHand:
    """A source whose frames a test puts in; an exception among them is raised, None is the end."""

    def __init__(self, *frames: bytes | BaseException | None, phase: str = "live") -> None:
        self.link = LinkState(phase, where="here")  # type: ignore[arg-type]
        self.ends = LinkState("ended", where="here")
        self._frames: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        self.put(*frames)

    def put(self, *frames: bytes | BaseException | None) -> None:
        for frame in frames:
            self._frames.put(frame)

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            while self._frames.empty():  # noqa: ASYNC110 - filled from another thread
                await asyncio.sleep(0.002)
            frame = self._frames.get()
            if isinstance(frame, BaseException):
                raise frame
            if frame is None:
                self.link = self.ends
                return
            yield frame


def beats(first: int, count: int) -> list[bytes]:
    return [beat(seq, AT + seq / 4) for seq in range(first, first + count)]


def started(source: Source, recorder: Recorder | None = None) -> LiveFeed:
    feed = LiveFeed(lambda: (source, recorder))
    feed.start()
    return feed


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def source() -> ByHand:
    return ByHand(welcome(0, AT), *beats(1, 3))


@pytest.fixture
def feed(source: ByHand) -> Iterator[LiveFeed]:
    feed = started(source)
    yield feed
    feed.close()


def latest(feed: LiveFeed) -> Snapshot:
    until(lambda: feed.latest)
    assert feed.latest is not None
    return feed.latest


def test_pictures_follow_the_stamps(source: ByHand, feed: LiveFeed) -> None:
    until(lambda: latest(feed).at == AT + 3 / 4)
    source.put(*beats(4, 1))
    until(lambda: latest(feed).at == AT + 1)
    assert feed.frames == 5


def test_a_screen_that_stands_still_does_not_stop_the_feed(tmp_path: Path) -> None:
    source = ByHand(welcome(0, AT))
    feed = started(source, Recorder(tmp_path / "a.vtr"))
    stuck = threading.Event()

    def screen() -> None:
        feed.ask(View(), lambda _: None)
        stuck.wait(10)

    threading.Thread(target=screen, daemon=True).start()
    source.put(*beats(1, 500))
    until(lambda: feed.frames == 501)
    stuck.set()
    feed.close()
    records, notes = read_all(tmp_path / "a.vtr")
    assert (len(records), notes) == (501, [])


def test_who_asks_is_answered_with_a_picture_for_that_view(feed: LiveFeed) -> None:
    latest(feed)
    answers: list[Snapshot] = []
    feed.ask(View(span="24h", sort="age"), answers.append)
    until(lambda: answers)
    assert answers[0].view == View(span="24h", sort="age")
    assert feed.latest is answers[0]
    time.sleep(0.4)
    assert len(answers) == 1


def test_what_is_asked_before_the_first_picture_is_answered_with_it(source: ByHand) -> None:
    answers: list[Snapshot] = []
    feed = LiveFeed(lambda: (source, None))
    feed.ask(View(span="30m"), answers.append)
    feed.start()
    until(lambda: answers)
    feed.close()
    assert answers[0].view.span == "30m"


def test_time_alone_is_no_picture() -> None:
    feed = started(ByHand(beat(0, AT, local=True), phase="reconnecting"))
    until(lambda: feed.frames == 1)
    time.sleep(0.4)
    assert feed.latest is None
    feed.close()


def test_a_refusal_ends_the_feed_with_its_words_and_leaves_the_last_picture(
    source: ByHand, feed: LiveFeed
) -> None:
    latest(feed)
    source.put(FeedRefused("ws://hub refused: no such token"))
    until(lambda: feed.ended)
    assert feed.error == "ws://hub refused: no such token"
    assert latest(feed).at == AT + 3 / 4


def test_a_mistake_of_our_own_is_told_and_not_hidden_by_a_calm_screen(source: ByHand, feed: LiveFeed) -> None:
    source.put(ZeroDivisionError("oops"))
    until(lambda: feed.error)
    assert feed.error == "an internal error in voicetop, please report it: ZeroDivisionError: oops"
    assert feed.ended


def test_a_picture_that_cannot_be_made_ends_the_feed_and_keeps_the_recording(tmp_path: Path) -> None:
    source = ByHand(welcome(0, AT), *beats(1, 3))
    feed = started(source, Recorder(tmp_path / "a.vtr"))
    latest(feed)
    feed.ask(View(limit="many"))  # type: ignore[arg-type]
    until(lambda: feed.error)
    assert feed.error.startswith("an internal error in voicetop")
    feed.close()
    assert len(read_all(tmp_path / "a.vtr")[0]) == 4


def test_a_source_that_cannot_be_opened_is_told() -> None:
    def open_source() -> tuple[Source, None]:
        raise FeedError("the simulated fleet could not start")

    feed = LiveFeed(open_source)
    feed.start()
    until(lambda: feed.ended)
    assert feed.error == "the simulated fleet could not start"


def test_close_flushes_the_recording_and_may_be_said_twice(tmp_path: Path) -> None:
    feed = started(ByHand(welcome(0, AT), *beats(1, 40)), Recorder(tmp_path / "a.vtr"))
    until(lambda: feed.frames == 41)
    feed.close()
    assert len(read_all(tmp_path / "a.vtr")[0]) == 41
    feed.close()
    assert feed.ended
    assert feed.error == ""


def test_a_feed_that_was_closed_before_it_began_never_begins(source: ByHand) -> None:
    feed = LiveFeed(lambda: (source, None))
    feed.close()
    feed.start()
    assert feed.frames == 0


def test_a_feed_at_its_end_can_still_be_looked_at(source: ByHand, feed: LiveFeed) -> None:
    source.ends = LinkState("ended", where="a.vtr", why="the end of a.vtr is torn")
    source.put(None)
    until(lambda: feed.ended)
    assert (feed.error, feed.notes) == ("", ["a.vtr has ended · the end of a.vtr is torn"])
    answers: list[Snapshot] = []
    feed.ask(View(span="24h"), answers.append)
    until(lambda: answers)
    assert answers[0].at == AT + 3 / 4


class FullDisk:
    """As much of a recorder as the feed knows, on a disk that takes nothing more."""

    error = "recording to a.vtr stopped: the disk is full"
    wants_state = False

    def write(self, frame: bytes) -> None: ...

    def close(self) -> None: ...


def test_a_recording_that_stops_is_a_note_and_the_feed_goes_on(source: ByHand) -> None:
    feed = started(source, FullDisk())  # type: ignore[arg-type]
    latest(feed)
    assert (feed.error, feed.notes) == ("", [FullDisk.error])
    source.put(*beats(4, 1))
    until(lambda: feed.frames == 5)
    feed.close()


def test_the_first_answer_is_waited_for_no_longer_than_it_takes() -> None:
    no = ByHand(FeedRefused("no"), phase="connecting")
    feed = started(no)
    assert not feed.wait_for_answer(5.0)
    silent = started(ByHand(phase="connecting"))
    begun = time.monotonic()
    assert silent.wait_for_answer(0.2)
    assert time.monotonic() - begun < 1.0
    silent.close()
