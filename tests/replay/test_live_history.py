"""Going back in a live feed: it shows the past state, and the live feed loses nothing."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from recording.recording_samples import read_all
from replay.replay_samples import START, arrive, asked, digests, sample_frames, until
from voicetop.clock import WallClock
from voicetop.engine.snapshot import View
from voicetop.live import LiveFeed
from voicetop.recording import Recorder
from voicetop.recording.files import RecordingFile
from voicetop.recording.shards import Shards
from voicetop.replay import live_history
from voicetop.replay.options import HistoryLimits
from voicetop.replay.player import Player
from voicetop.session import Session
from voicetop.sources import LinkState
from voicetop.wire.frames import Welcome


class FilmSource:
    """A fleet's frames as a hub sends them, so many times as fast; it stops before `gate` and goes on when let."""

    def __init__(self, seconds: float = 60, *, gate: float = math.inf) -> None:
        self.link = LinkState("live", where="hub:8377")
        self.gate = gate
        self._seconds = seconds

    async def frames(self) -> AsyncIterator[bytes]:
        for number, frame in enumerate(sample_frames(self._seconds)):
            while number / 4 > self.gate:  # noqa: ASYNC110 - opened from another thread
                await asyncio.sleep(0.002)
            yield frame
            if number % 8 == 0:
                await asyncio.sleep(0)
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def home(state_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(live_history, "APART_S", 5.0)
    monkeypatch.setattr(live_history, "COST", 100.0)
    return state_home


def feed_of(
    source: FilmSource, recorder: Recorder | None = None, limits: HistoryLimits | None = None
) -> LiveFeed:
    feed = LiveFeed(lambda: (source, recorder), limits=limits or HistoryLimits())
    feed.start()
    until(lambda: feed.past)
    return feed


def past_of(feed: LiveFeed) -> Player:
    assert feed.past is not None
    return feed.past


def at(feed: LiveFeed) -> float:
    return feed.latest.at if feed.latest is not None else 0.0


class Then(WallClock):
    """A clock of the day on which the fleet ran."""

    def time(self) -> float:
        return START


def go_on(source: FilmSource, feed: LiveFeed, seconds: int) -> None:
    """Four seconds at a time, so that recorder and states can keep up."""
    for second in range(4, seconds + 1, 4):
        source.gate = float(second)
        until(lambda: at(feed) >= START + source.gate)


@pytest.fixture
def source() -> FilmSource:
    return FilmSource(gate=40.0)


@pytest.fixture
def feed(source: FilmSource) -> Iterator[LiveFeed]:
    feed = feed_of(source)
    until(lambda: at(feed) >= START + 40)
    yield feed
    feed.close()


@pytest.fixture(scope="module")
def played() -> dict[float, str]:
    return digests(sample_frames(60))


def digest(past: Player) -> str:
    cursor = past._playback.cursor
    assert cursor is not None
    assert isinstance(cursor.session, Session)
    return cursor.session.digest()


def test_any_time_since_the_start_shows_the_state_of_then(feed: LiveFeed, played: dict[float, str]) -> None:
    past = past_of(feed)
    for second in (40, 12.5, 30, 0.25, 39.75, 26):
        assert arrive(past, START + second).at == START + second
        assert digest(past) == played[START + second]
    assert past.position.playing is False


def test_states_are_saved_during_the_feed(feed: LiveFeed) -> None:
    assert feed._history is not None
    states = feed._history._states
    until(lambda: len(states._checkpoints) >= 7)
    entered = [states.nearest(START + second) for second in (4, 17, 40)]
    assert entered[0] is None
    assert [
        START + second - kept.until < 6 for kept, second in zip(entered, (4, 17, 40), strict=True) if kept
    ] == [
        True,
        True,
    ]


def test_the_live_feed_continues_in_the_meantime(source: FilmSource, feed: LiveFeed) -> None:
    past = past_of(feed)
    arrive(past, START + 10)
    source.gate = math.inf
    until(lambda: at(feed) >= START + 60)
    assert past.latest is not None
    assert past.latest.at == START + 10
    assert asked(past, View(span="30m")).at == START + 10
    assert feed.frames == 241
    assert past.timeline.last_at >= START + 59


def test_playing_reaches_the_present(source: FilmSource, feed: LiveFeed) -> None:
    past = past_of(feed)
    arrive(past, START + 30)
    past.set_speed(math.inf)
    past.play()
    until(lambda: past.position.at >= START + 39.75)
    source.gate = 50.0
    until(lambda: past.position.at >= START + 50)
    assert past.position.playing
    assert not past.ended


def test_a_time_that_is_being_written_is_waited_for(source: FilmSource, feed: LiveFeed) -> None:
    source.gate = math.inf
    until(lambda: at(feed) >= START + 45)
    now = at(feed)
    assert arrive(past_of(feed), now).at == now


def test_files_are_private_and_deleted_at_the_end(home: Path) -> None:
    before = set(threading.enumerate())
    feed = feed_of(FilmSource(gate=5.0))
    until(lambda: at(feed) >= START + 5)
    arrive(past_of(feed), START + 2)
    files = [file for file in home.rglob("*") if file.is_file()]
    assert any(file.suffix == ".vtr" for file in files)
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    feed.close()
    assert not [file for file in home.rglob("*") if file.is_file()]
    until(
        lambda: (
            not {thread.name for thread in set(threading.enumerate()) - before if "voicetop" in thread.name}
        )
    )


def test_what_a_crashed_console_left_is_removed_by_the_next(home: Path) -> None:
    left = home / "voicetop" / "scratch" / "1-gone"
    left.mkdir(parents=True)
    (left / "lock").touch()
    (left / "a.state").write_bytes(b"x")
    feed = feed_of(FilmSource(gate=1.0))
    assert not left.exists()
    feed.close()


def test_with_a_recorder_the_history_is_its_recording(
    tmp_path: Path, home: Path, played: dict[float, str]
) -> None:
    feed = feed_of(FilmSource(gate=30.0), Recorder(tmp_path / "a.vtr"))
    until(lambda: at(feed) >= START + 30)
    assert arrive(past_of(feed), START + 17).at == START + 17
    assert digest(past_of(feed)) == played[START + 17]
    assert not list(home.rglob("*.vtr"))
    feed.close()
    assert (tmp_path / "a.vtr").exists()


def test_with_a_folder_the_history_is_its_files_and_they_begin_with_states(
    tmp_path: Path, played: dict[float, str]
) -> None:
    shards = Shards(tmp_path / "day", shard_s=10.0, state_wait_s=5.0)
    source = FilmSource(gate=0.0)
    feed = feed_of(source, Recorder(tmp_path / "day", shards=shards, flush_s=0.02, clock=Then()))
    go_on(source, feed, 40)
    for second in (37.0, 5.0, 22.0):
        assert arrive(past_of(feed), START + second).at == START + second
        assert digest(past_of(feed)) == played[START + second]
    feed.close()
    files = sorted((tmp_path / "day").glob("*.vtr"))
    assert len(files) >= 3
    assert all(isinstance(first := read_all(file)[0][0], Welcome) and first.state for file in files[1:])


def test_the_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_history, "LEAST_FILE_S", 5.0)
    source = FilmSource(gate=0.0)
    feed = feed_of(source, limits=HistoryLimits(seconds=40.0, size=150_000))
    assert feed._history is not None
    go_on(source, feed, 60)
    past = past_of(feed)
    until(lambda: past.timeline.first_at > START)
    first = arrive(past, -math.inf).at
    assert first > START + 1
    assert digest(past) == digests(sample_frames(60))[first]
    folder = feed._history._scratch.path
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 250_000
    feed.close()


def test_a_full_disk_ends_the_history_but_not_the_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = FilmSource(gate=10.0)
    feed = feed_of(source)
    until(lambda: at(feed) >= START + 10)
    arrive(past_of(feed), START + 5)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordingFile, "append", full)
    source.gate = math.inf
    until(lambda: at(feed) >= START + 60)
    until(lambda: feed.notes)
    assert "you can't go back to new data" in feed.notes[0]
    assert "the disk is full" in feed.notes[0]
    assert arrive(past_of(feed), START + 7).at == START + 7
    feed.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_without_a_writable_folder_the_feed_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o500)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    feed = LiveFeed(lambda: (FilmSource(), None), limits=HistoryLimits())
    feed.start()
    until(lambda: at(feed) >= START + 60)
    assert feed.past is None
    assert "cannot go back" in feed.notes[0]
    feed.close()
    tmp_path.chmod(0o700)
