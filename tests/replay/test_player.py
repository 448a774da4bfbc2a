"""A player seeks, and shows there what playing from the start shows."""

from __future__ import annotations

import itertools
import math
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from replay.replay_samples import START, arrive, asked, digests, player_of, sample_frames, until, write_sample
from voicetop.clock import WallClock
from voicetop.engine.snapshot import View
from voicetop.recording.compression import compressor
from voicetop.recording.recorder import Recorder
from voicetop.replay.player import Player
from voicetop.session import Session
from voicetop.sources import Act


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("film") / "a.vtr", sample_frames(60))


@pytest.fixture(scope="module")
def played() -> dict[float, str]:
    return digests(sample_frames(60))


@pytest.fixture
def player(recording: Path) -> Iterator[Player]:
    player = player_of(recording, playing=False)
    player.start()
    until(lambda: player.latest)
    yield player
    player.close()


def digest(player: Player) -> str:
    """The state behind the picture; nobody folds while a player stands still."""
    cursor = player._playback.cursor
    assert cursor is not None
    assert isinstance(cursor.session, Session)
    return cursor.session.digest()


def test_it_begins_paused_at_the_first_heartbeat(player: Player) -> None:
    assert player.latest is not None
    assert player.latest.at == START + 0.25
    assert (player.position.at, player.position.playing) == (START + 0.25, False)
    assert (player.link.phase, player.link.where) == ("live", "a.vtr")
    assert player.past is player


def test_with_long_frames_it_also_shows_only_the_first_heartbeat(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.vtr", sample_frames(60, calls=1), per_block=1000)
    player = player_of(path, playing=False)
    player.start()
    until(lambda: player.latest)
    assert player.latest is not None
    assert player.latest.at == START + 0.25
    player.close()


def test_a_time_shows_the_same_state_from_any_start(player: Player, played: dict[float, str]) -> None:
    dice = random.Random(4)
    for _ in range(20):
        at = START + 0.25 + dice.random() * 60
        beat = max(beat for beat in played if beat <= at)
        assert arrive(player, at).at == beat
        assert player.position.at == beat
        assert digest(player) == played[beat]


def test_it_pauses_where_it_is_told_on_a_machine_that_is_too_slow(tmp_path: Path) -> None:
    class Slow(WallClock):
        """A second passes between any two looks at the clock."""

        def __init__(self) -> None:
            self.ticks = itertools.count()

        def monotonic(self) -> float:
            return float(next(self.ticks))

    path = write_sample(tmp_path / "a.vtr", sample_frames(60), per_block=40)
    player = player_of(path, clock=Slow(), until=START + 25.5, speed=math.inf)
    player.start()
    until(lambda: player.ended)
    assert player.latest is not None
    assert (player.position.at, player.latest.at) == (START + 25.5, START + 25.5)
    player.close()


def test_a_seek_is_clamped_to_the_recording(player: Player) -> None:
    assert arrive(player, math.inf).at == START + 60
    assert arrive(player, -math.inf).at == START + 0.25
    assert arrive(player, START + 1e6).at == START + 60
    assert player.position.seeking != player.position.seeking


def test_a_later_seek_replaces_one_in_progress(player: Player) -> None:
    for second in range(50):
        player.seek(START + 50 - second)
    assert player.position.seeking == START + 1
    until(lambda: player.position.seeking != player.position.seeking)
    assert player.latest is not None
    assert player.latest.at == START + 1


def test_snapshots_are_made_while_paused_and_while_seeking(player: Player) -> None:
    assert asked(player, View(span="24h")).view.span == "24h"
    arrive(player, START + 30)
    assert asked(player, View(sort="age")).at == START + 30
    player.seek(START + 55)
    player.seek(START + 5)
    assert asked(player, View(span="30m")).view.span == "30m"


def test_no_request_blocks_the_screen(player: Player) -> None:
    stuck, recordings = threading.Event(), player._playback.recordings
    assert recordings is not None
    refresh = recordings.refresh

    def slow() -> None:
        stuck.wait(5)

    recordings.refresh = slow  # type: ignore[method-assign]
    began = time.monotonic()
    player.seek(START + 20)
    player.ask(View())
    player.play()
    player.pause()
    player.set_speed(10.0)
    player.set_loop(True)
    assert player.position.seeking == START + 20
    assert player.timeline is not None
    assert time.monotonic() - began < 1.0
    stuck.set()
    recordings.refresh = refresh  # type: ignore[method-assign]


def test_playing_passes_through_the_same_states(recording: Path, played: dict[float, str]) -> None:
    player = player_of(recording, speed=100.0, playing=False)
    found: dict[float, str] = {}
    make = player._playback._new_session

    def watched() -> Session:
        session = make()
        session.on_beat.append(lambda beat: found.update({beat.at: session.digest()}))
        return session

    player._playback._new_session = watched  # type: ignore[method-assign]
    player.start()
    arrive(player, START + 20)
    player.play()
    until(lambda: player.ended)
    player.close()
    assert len(found) > 160
    assert found == {beat: digest for beat, digest in played.items() if beat in found}
    assert player.position.at == START + 60


def test_it_plays_at_the_speed_that_was_set(recording: Path) -> None:
    player = player_of(recording, speed=8.0)
    player.start()
    until(lambda: player.position.actual_speed == player.position.actual_speed)
    first, began = player.position.at, time.monotonic()
    until(lambda: player.position.at >= first + 8)
    took = time.monotonic() - began
    assert took > 0.8
    assert player.position.speed == 8.0
    player.set_speed(0.01)
    assert player.position.speed == 0.25
    player.pause()
    assert player.position.actual_speed != player.position.actual_speed
    until(lambda: not player.position.playing)
    stands = player.position.at
    time.sleep(0.3)
    assert player.position.at == stands
    player.close()


def test_it_stops_at_its_end_and_restarts_on_play(recording: Path) -> None:
    player = player_of(recording, speed=math.inf)
    player.start()
    until(lambda: player.ended)
    assert (player.position.playing, player.position.why) == (False, "end of recording")
    assert player.notes == ["a.vtr: end of recording"]
    assert player.latest is not None
    assert player.latest.at == START + 60
    player.set_speed(1.0)
    player.play()
    until(lambda: player.position.at < START + 5)
    assert not player.ended
    player.close()


def test_after_a_seek_to_the_end_it_restarts_on_play(player: Player) -> None:
    arrive(player, math.inf)
    player.play()
    until(lambda: player.position.at < START + 5)
    assert player.position.playing


def test_in_a_loop_it_restarts_by_itself(recording: Path) -> None:
    player = player_of(recording, speed=math.inf, loop=True)
    seen: list[float] = []
    player.start()
    for _ in range(3):
        until(lambda: player.position.at > START + 50)
        until(lambda: player.position.at < START + 40)
        seen.append(player.position.at)
    assert player.position.loop
    assert not player.ended
    player.close()


def test_it_pauses_as_requested_and_can_be_resumed(recording: Path) -> None:
    player = player_of(recording, at=START + 10, until=START + 20.6, speed=math.inf)
    player.start()
    until(lambda: player.ended)
    assert player.position.at == START + 20.5
    assert player.position.why == "paused as requested"
    player.play()
    until(lambda: player.position.why == "end of recording")
    player.close()


def test_the_timeline_shows_what_happened_when(player: Player) -> None:
    until(lambda: player.timeline.complete)
    line = player.timeline
    assert (line.first_at, line.last_at) == (START, START + 60)
    assert sum(line.turns) > 20
    assert len(line.turns) == len(line.errors)
    assert line.start + line.step * len(line.turns) >= START + 60
    assert [(note.kind, note.at, note.label) for note in line.notes if note.kind == "marker"] == [
        ("marker", START + 10.25, "deploy v42")
    ]


def test_a_note_is_on_the_timeline_and_in_the_next_replay(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.vtr", sample_frames(20))
    player = player_of(path, playing=False)
    player.start()
    arrive(player, START + 12)
    assert player.operate(Act("bookmark")) == ""
    assert player.operate(Act("note", text="callers begin to wait", at=START + 13)) == ""
    assert player.operate(Act("ack", target="i1")) != ""
    until(lambda: sum(note.by == "ada" for note in player.timeline.notes) == 2)
    player.close()
    again = player_of(path, playing=False)
    again.start()
    until(lambda: again.timeline.complete)
    noted = [(note.kind, note.at, note.label) for note in again.timeline.notes if note.by == "ada"]
    assert noted == [("bookmark", START + 12, ""), ("note", START + 13, "callers begin to wait")]
    again.close()


def test_a_file_that_is_still_being_recorded_is_followed(tmp_path: Path) -> None:
    frames = sample_frames(30)
    recorder = Recorder(tmp_path / "a.vtr", epoch="film", flush_s=0.05)
    for _ in range(21):
        recorder.write(next(frames))
    until(lambda: recorder.events > 0)
    player = player_of(tmp_path / "a.vtr", speed=math.inf)
    player.start()
    until(lambda: player.latest is not None and player.latest.at == START + 5)
    assert player.position.playing
    for frame in frames:
        recorder.write(frame)
    until(lambda: player.latest is not None and player.latest.at == START + 30)
    assert not player.ended
    recorder.close()
    until(lambda: player.ended)
    until(lambda: player.timeline.last_at == START + 30)
    assert player.notes == ["a.vtr: end of recording"]
    player.close()


def test_a_folder_of_files_plays_as_one(tmp_path: Path, played: dict[float, str]) -> None:
    frames = list(sample_frames(60))
    for number, first in enumerate(range(0, 241, 80)):
        write_sample(tmp_path / f"part{number}.vtr", iter(frames[first : first + 80]))
    player = player_of(tmp_path, playing=False)
    player.start()
    for second in (50, 10, 30, 59, 20):
        assert arrive(player, START + second).at == START + second
        assert digest(player) == played[START + second]
    player.set_speed(math.inf)
    player.play()
    until(lambda: player.ended)
    assert player.position.at == START + 60
    until(lambda: player.timeline.complete)
    assert player.timeline.last_at == START + 60
    player.close()


def test_a_file_that_is_not_a_recording_is_reported_and_skipped(tmp_path: Path) -> None:
    write_sample(tmp_path / "a.vtr", sample_frames(10))
    (tmp_path / "b.vtr").write_text("hello")
    write_sample(tmp_path / "c.vtr", sample_frames(10, begin=START + 10, seq=10_000))
    player = player_of(tmp_path, speed=math.inf)
    player.start()
    until(lambda: player.ended)
    assert player.position.at == START + 20
    assert any("b.vtr is not a recording" in note for note in player.notes)
    player.close()


def test_damage_is_reported_and_a_gap_on_the_timeline(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.vtr", sample_frames(30))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = os.urandom(40)
    path.write_bytes(data)
    player = player_of(path, speed=math.inf)
    player.start()
    until(lambda: player.ended)
    assert any("damaged" in note for note in player.notes)
    until(lambda: player.timeline.complete)
    assert [note.kind for note in player.timeline.notes].count("gap") == 1
    player.close()


def test_a_torn_end_is_reported_when_reached(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.vtr", sample_frames(5))
    path.write_bytes(path.read_bytes() + b"\x28\xb5\x2f\xfd")
    player = player_of(path, speed=math.inf)
    player.start()
    until(lambda: player.ended)
    assert player.position.at == START + 5
    assert player.position.why == "the rest of the recording is missing"
    assert any("is incomplete: its records end at" in note for note in player.notes)
    player.close()


def test_a_part_of_a_later_version_ends_it_where_it_begins(tmp_path: Path) -> None:
    path = write_sample(tmp_path / "a.vtr", sample_frames(5))
    path.write_bytes(path.read_bytes() + compressor(3)(b'{"voicetop":"recording","version":9}\n'))
    player = player_of(path, at=START + 1, speed=math.inf)
    player.start()
    until(lambda: player.error)
    assert "of version 9" in player.error
    assert player.latest is not None
    player.close()


def test_a_missing_recording_is_one_line(tmp_path: Path) -> None:
    player = player_of(tmp_path / "a.vtr")
    player.start()
    until(lambda: player.error)
    assert player.error == f"cannot read {tmp_path / 'a.vtr'}: No such file or directory"
    assert player.link.phase == "ended"
    player.close()


def test_a_gap_in_the_recording_is_shortened(tmp_path: Path) -> None:
    later = sample_frames(5, begin=START + 5000, seq=10_000)
    path = write_sample(tmp_path / "a.vtr", iter([*sample_frames(5), *later]))
    player = player_of(path, at=START + 4.5, speed=4.0)
    player.start()
    until(lambda: player.position.at > START + 5000, 10)
    player.close()
