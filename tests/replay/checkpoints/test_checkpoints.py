"""A state that was saved without what the recording tells anyway goes on as if it had all of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import force_setattr

from recording.fleet_samples import START, fleet_frames, record_frames
from voicetop.engine.call_events import StoredEvents
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import View
from voicetop.recording import read
from voicetop.replay.seek import Seeker
from voicetop.session import Session
from voicetop.wire import duplicates
from voicetop.wire.events import Event

SECONDS = 240
MOMENTS = [70.0, 133.3, 201.1]


def small() -> Session:
    """Stories are cut often, and few ended calls are kept."""
    return Session(EngineConfig(story_budget=300, ended_kept=20, failed_kept=20))


def checked(path: Path) -> Seeker:
    """Goes on from each moment to the end without a look at the state on the way; then all must be as if played."""
    played = small()
    with read(path) as frames:
        for frame in frames:
            played.feed(frame)
    seeker = Seeker(path, small, share=9.0)
    seeker.build()
    assert len(seeker.checkpoints.saved) > 5
    for moment in MOMENTS:
        found = Seeker(path, small).seek(START + moment)
        for _, frame in found.remaining():
            found.session.feed(frame)
        assert found.session.digest() == played.digest()
    return seeker


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generations of ids are full after half a minute."""
    monkeypatch.setattr(duplicates, "GENERATION", 400)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keeping") / "a.vtr"
    return record_frames(path, fleet_frames(SECONDS, calls=20))


def test_stories_and_ids_that_were_left_in_the_recording_come_back_when_they_are_needed(
    recording: Path, short_memory: None
) -> None:
    seeker = checked(recording)
    assert any(saved.turns for saved in seeker.checkpoints.saved)
    assert any(saved.ids.young >= 0 for saved in seeker.checkpoints.saved)


def test_a_seek_reads_no_story_before_somebody_looks_into_it(
    recording: Path, tmp_path: Path, short_memory: None
) -> None:
    Seeker(recording, small, share=9.0).build()
    moment = Seeker(recording, small).seek(START + 200)
    calls = moment.session.engine.roster.live.values()
    unread = [call for call in calls if isinstance(call.story, StoredEvents) and call.story.unloaded]
    assert unread
    alone = tmp_path / "a.vtr"
    alone.write_bytes(recording.read_bytes())
    played = Seeker(alone, small).seek(START + 200).session
    view = View(call_id=unread[0].call_id)
    assert repr(moment.session.snapshot(view).detail) == repr(played.snapshot(view).detail)
    assert moment.session.snapshot(view).detail is not None


def test_events_that_came_twice_are_known_again_after_a_seek(tmp_path: Path, short_memory: None) -> None:
    kept: list[Event] = []

    def again(events: list[Event], at: float) -> None:
        if events and int(at * 4) % 37 == 0:
            events += kept[-2:]
        kept.extend(event for event in events if event.event_id)

    path = record_frames(tmp_path / "a.vtr", fleet_frames(SECONDS, calls=15, change=again))
    checked(path)
    with read(path) as frames:
        played = small()
        for frame in frames:
            played.feed(frame)
    assert played.codec.stats.duplicates > 5


def test_times_that_were_corrected_are_kept_as_they_were(tmp_path: Path, short_memory: None) -> None:
    def ahead(events: list[Event], at: float) -> None:
        for event in events:
            force_setattr(event, "ts", event.ts + (7.0 if START + 100 < at < START + 200 else 0.4))

    checked(record_frames(tmp_path / "a.vtr", fleet_frames(SECONDS, calls=15, change=ahead)))


def test_a_feed_that_begins_anew_in_the_middle_is_told_from_the_one_before(
    tmp_path: Path, short_memory: None
) -> None:
    frames = list(fleet_frames(SECONDS / 2, calls=15))
    other = list(fleet_frames(SECONDS, calls=15, epoch="e2", seed=6))
    checked(record_frames(tmp_path / "a.vtr", [*frames, other[0], *other[len(frames) :]]))


def test_a_state_in_the_middle_takes_the_place_of_what_was_folded(tmp_path: Path, short_memory: None) -> None:
    frames = list(fleet_frames(SECONDS, calls=15))
    session, half = small(), len(frames) // 2
    for frame in frames[:half]:
        session.feed(frame)
    checked(
        record_frames(
            tmp_path / "a.vtr", [*frames[:half], msgspec.json.encode(session.welcome()), *frames[half:]]
        )
    )


def test_going_on_with_building_leads_to_the_same_states(recording: Path, short_memory: None) -> None:
    Seeker(recording, small, share=9.0).checkpoints.path.unlink(missing_ok=True)
    for stop_after in (120, 400, 10_000):
        steps = iter(range(stop_after))
        Seeker(recording, small, share=9.0).build(lambda steps=steps: next(steps, None) is None)  # type: ignore[misc]
    checked(recording)


def test_each_part_is_written_once(recording: Path) -> None:
    seeker = Seeker(recording, small, share=9.0)
    seeker.build()
    names = [name for saved in seeker.checkpoints.saved for name in saved.names]
    assert len(names) == len(set(names)) > 50
