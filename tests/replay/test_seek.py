"""A seek gives the same state as playing from the start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from recording.fleet_samples import START, fleet_frames, record_fleet
from recording.recording_samples import record_in_blocks
from replay.replay_samples import write_sample
from voicetop.engine.config import EngineConfig
from voicetop.engine.snapshot import FeedHealthPanel, View
from voicetop.errors import RecordingError
from voicetop.recording import read
from voicetop.recording.format import Header
from voicetop.recording.merge import write_recording
from voicetop.replay.seek import Seeker
from voicetop.session import Session


def digests(session: Session, frames: Iterable[bytes]) -> dict[float, str]:
    """The digest at every heartbeat."""
    found: dict[float, str] = {}
    session.on_beat.append(lambda beat: found.update({beat.at: session.digest()}))
    for frame in frames:
        session.feed(frame)
    session.on_beat.clear()
    return found


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_fleet(tmp_path_factory.mktemp("seek") / "a.vtr", 80)


@pytest.fixture(scope="module")
def played(recording: Path) -> dict[float, str]:
    with read(recording) as frames:
        return digests(Session(), frames)


MOMENTS = [0.0, 0.3, 17.26, 40.0, 59.9, 60.15, 79.99, 80.0, 500.0]


def check(recording: Path, played: dict[float, str], moments: list[float]) -> None:
    seeker = Seeker(recording, Session)
    for moment in moments:
        at = START + moment
        found = seeker.seek(at)
        beats = [beat for beat in played if beat <= at]
        if beats:
            assert found.session.at == beats[-1]
            assert found.session.digest() == played[beats[-1]]
        rest = digests(found.session, (frame for _, frame in found.remaining()))
        assert rest == {beat: digest for beat, digest in played.items() if beat > at}


def test_without_a_cache_every_later_heartbeat_is_the_same(recording: Path, played: dict[float, str]) -> None:
    assert len(played) == 320
    check(recording, played, [0.3, 60.15, 500.0])


def test_from_checkpoints_every_later_heartbeat_is_the_same(
    recording: Path, played: dict[float, str]
) -> None:
    seeker = Seeker(recording, Session, share=5.0)
    seeker.build()
    assert len(seeker.checkpoints.saved) > 4
    check(recording, played, MOMENTS)


def test_a_seek_reads_only_what_follows_on_the_nearest_checkpoint(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Seeker(recording, Session, share=5.0).build()
    fed: list[bytes] = []
    feed = Session.feed

    def counted(session: Session, frame: bytes) -> None:
        fed.append(frame)
        feed(session, frame)

    monkeypatch.setattr(Session, "feed", counted)
    Seeker(recording, Session).seek(START + 79)
    assert len(fed) < 320 / 3


def test_checkpoints_take_no_more_than_their_share(tmp_path: Path) -> None:
    path = record_fleet(tmp_path / "a.vtr", 100)
    seeker = Seeker(path, Session, share=0.9)
    seeker.build()
    assert seeker.checkpoints.saved
    assert seeker.checkpoints.path.stat().st_size < 0.92 * path.stat().st_size


def test_the_cache_grows_with_the_recording(tmp_path: Path) -> None:
    path = record_fleet(tmp_path / "a.vtr", 60)
    data, cut = path.read_bytes(), tmp_path / "b.vtr"
    half = [block.offset for block in Seeker(path, Session).index.blocks][60]
    cut.write_bytes(data[:half])
    Seeker(cut, Session, share=5.0).build()
    before = Seeker(cut, Session).checkpoints.saved
    cut.write_bytes(data)
    Seeker(cut, Session, share=5.0).build()
    after = Seeker(cut, Session).checkpoints.saved
    assert 0 < len(before) < len(after)
    assert after[: len(before)] == before
    with read(cut) as frames:
        check(cut, digests(Session(), frames), [35.0, 55.0])


def test_a_cache_of_other_settings_or_of_another_file_is_not_used(tmp_path: Path) -> None:
    path = record_fleet(tmp_path / "a.vtr", 60)
    Seeker(path, Session, share=5.0).build()
    assert Seeker(path, Session).checkpoints.saved
    assert not Seeker(path, lambda: Session(EngineConfig(ended_kept=7))).checkpoints.saved
    record_in_blocks(tmp_path / "b.vtr", list(fleet_frames(30, epoch="e2")))
    (tmp_path / "b.vtr.ckpt").write_bytes((tmp_path / "a.vtr.ckpt").read_bytes())
    assert not Seeker(tmp_path / "b.vtr", Session).checkpoints.saved


def test_a_torn_or_damaged_cache_costs_only_time(recording: Path, played: dict[float, str]) -> None:
    seeker = Seeker(recording, Session, share=5.0)
    seeker.build()
    path, whole = seeker.checkpoints.path, seeker.checkpoints.path.read_bytes()
    last = seeker.checkpoints.saved[-1]
    wrong = bytearray(whole)
    wrong[last.position + last.size // 2] ^= 0xFF
    for damaged in (whole[:-100], bytes(wrong), whole[:10], b"", b"\xff" * 500):
        path.write_bytes(damaged)
        check(recording, played, [78.0])
    path.write_bytes(whole[:-100])
    mended = Seeker(recording, Session, share=5.0)
    mended.build()
    assert [saved.until for saved in mended.checkpoints.saved] == [
        saved.until for saved in seeker.checkpoints.saved
    ]
    check(recording, played, [78.0])


def test_a_recording_that_was_changed_behind_a_checkpoint_is_read_instead(tmp_path: Path) -> None:
    path = record_fleet(tmp_path / "a.vtr", 60)
    seeker = Seeker(path, Session, share=5.0)
    seeker.build()
    data = bytearray(path.read_bytes())
    data[seeker.checkpoints.saved[-1].place.offset + 40] ^= 0xFF
    path.write_bytes(data)
    changed = Seeker(path, Session)
    assert changed.checkpoints.open(changed.checkpoints.saved[-1]) is None
    assert changed.seek(START + 60).session.at == START + 60


def test_where_the_folder_is_read_only_the_cache_is_in_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("voicetop.replay.checkpoints.store.os.access", lambda *_: False)
    path = record_fleet(tmp_path / "a.vtr", 60)
    Seeker(path, Session, share=5.0).build()
    assert not (tmp_path / "a.vtr.ckpt").exists()
    assert len(list((tmp_path / "state" / "voicetop" / "checkpoints").iterdir())) == 1
    assert Seeker(path, Session).checkpoints.saved


def test_a_cache_of_an_earlier_format_is_built_anew(tmp_path: Path) -> None:
    path = record_fleet(tmp_path / "a.vtr", 60)
    seeker = Seeker(path, Session, share=5.0)
    seeker.build()
    cache = seeker.checkpoints.path
    built = cache.read_bytes()
    cache.write_bytes(built.replace(b'"form":7', b'"form":6', 1))
    old = Seeker(path, Session, share=5.0)
    assert old.checkpoints.saved == []
    old.build()
    assert cache.read_bytes() == built


def test_two_who_build_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = record_fleet(tmp_path / "a.vtr", 60)
    first, second = Seeker(path, Session, share=5.0), Seeker(path, Session, share=5.0)
    assert first.checkpoints.begin_writing()
    second.build()
    assert second.checkpoints.saved == []
    first.checkpoints.close()
    second.build()
    assert second.checkpoints.saved


def test_a_damaged_place_is_passed_by_seek_as_by_play(tmp_path: Path) -> None:
    path = record_fleet(tmp_path / "a.vtr", 60)
    data = bytearray(path.read_bytes())
    blocks = Seeker(path, Session).index.blocks
    data[blocks[50].offset + 30] ^= 0xFF
    path.write_bytes(data)
    with read(path) as frames:
        played = digests(Session(), frames)
    Seeker(path, Session, share=5.0).build()
    check(path, played, [25.3, 26.0, 55.0])


def test_a_file_that_is_not_a_recording_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_bytes(b"my only copy")
    with pytest.raises(RecordingError, match="is not a recording"):
        Seeker(tmp_path / "thesis.txt", Session)
    (tmp_path / "empty.vtr").write_bytes(b"")
    with pytest.raises(RecordingError, match="is empty"):
        Seeker(tmp_path / "empty.vtr", Session)
    newer = Header(voicetop="recording", version=2)
    with pytest.raises(RecordingError, match="of version 2, this voicetop reads version 1: update"):
        Seeker(_with_header(tmp_path / "newer.vtr", newer), Session)
    with pytest.raises(RecordingError, match="cannot read"):
        Seeker(tmp_path / "missing.vtr", Session)


def _with_header(path: Path, header: Header) -> Path:
    write_recording(path, [], header)
    return path


# -- feed health ------------------------------------------------------------------------------------------------------


def troubled_frames(seconds: int) -> Iterator[bytes]:
    """A hub's frames in which publishers send bad values, are refused, say goodbye, and fall silent."""
    seq = 0
    yield msgspec.json.encode({"type": "welcome", "epoch": "film", "seq": 0, "at": START})
    for step in range(seconds):
        at, events = START + step, list[dict[str, Any]]()
        kind = ("cut", "dropped", "json")[step % 3]
        events.append({"type": "repaired", "source": "a", "kind": kind, "count": 1 + step, "why": f"w{step}"})
        if step % 4 == 0:
            events.append({"type": "malformed", "source": "b", "payload": "YQ==", "error": f"bad {step}"})
        events.append({"type": "turn", "source": "c", "call_id": "c1", "turn": 0, "e2e_ms": f"text {step}"})
        events.append({"type": "turn.start", "source": "c", "call_id": "c1", "turn": 0})
        for name in ("a", "live") if step < 20 else ("a",):
            events.append({"type": "source.status", "source": name, "active_calls": int(name == "live")})
        if step == 2:
            events.append({"type": "call.start", "source": "live", "call_id": "c2"})
        if step == 20:
            events.append({"type": "source.status", "source": "live", "active_calls": 1, "leaving": True})
        if step == 50:
            events.append({"type": "call.end", "source": "", "call_id": "c2", "reason": "completed"})
        told = [{"ts": at, **event} for event in events]
        told.append({"type": "heartbeat", "ts": at, "seq": seq + len(told)})
        yield msgspec.json.encode({"type": "batch", "seq": seq + 1, "at": [[at, len(told)]], "events": told})
        seq += len(told)


def health_of(session: Session, frames: Iterable[bytes]) -> dict[float, FeedHealthPanel | None]:
    """The health of the feed at every heartbeat."""
    found = dict[float, FeedHealthPanel | None]()
    view = View(limit=0, health=True)
    session.on_beat.append(lambda beat: found.update({beat.at: session.snapshot(view).health}))
    for frame in frames:
        session.feed(frame)
    session.on_beat.clear()
    return found


def test_the_health_of_the_feed_is_the_same_from_any_point(tmp_path: Path) -> None:
    recording = write_sample(tmp_path / "a.vtr", troubled_frames(90))
    with read(recording) as frames:
        played = health_of(Session(), frames)
    last = played[START + 89]
    assert last is not None
    kinds = {source.name: dict(source.kinds) for source in last.sources}
    assert kinds["a"] == {"cut": 1335, "dropped": 1365, "json": 1395}
    assert kinds["b"] == {"refused": 23}
    assert kinds["c"]["dropped"] == 90
    assert (last.left, last.silent) == (1, 0)
    for cached in (False, True):
        seeker = Seeker(recording, Session)
        if cached:
            seeker.build()
        for moment in (0.5, 5.0, 20.0, 33.3, 51.0, 60.0, 89.0):
            found = seeker.seek(START + moment)
            view = View(limit=0, health=True)
            assert found.session.snapshot(view).health == played[found.session.at], (cached, moment)
            rest = health_of(found.session, (frame for _, frame in found.remaining()))
            assert rest == {at: health for at, health in played.items() if at > START + moment}
