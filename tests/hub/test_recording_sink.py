"""A hub that always records: self-contained files, one writer per folder, and reported failures."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hub.clients import Watcher, publisher, send, turn, until
from recording.recording_samples import read_all
from voicetop.errors import RecordingError
from voicetop.hub import Hub, HubConfig
from voicetop.recording import read
from voicetop.recording.files import RecordingFile
from voicetop.recording.reader import shard_files
from voicetop.session import Session
from voicetop.wire.frames import Welcome


def hub_on(folder: Path, **options: float) -> Hub:
    return Hub(HubConfig(port=0, record=f"{folder}/", **options), new_session=Session)  # type: ignore[arg-type]


async def record_files(folder: Path, count: int, **options: float) -> list[Path]:
    """Run a hub with traffic until there are this many files."""
    hub = hub_on(folder, **options)
    await hub.start()
    agent = await publisher(hub.url)
    numbers = iter(range(100_000))

    async def enough() -> bool:
        await send(agent, *(turn(next(numbers)) for _ in range(3)))
        return len(shard_files(folder)) >= count

    await until(enough, 30)
    await agent.close()
    await hub.close()
    return shard_files(folder)


def folded(*files: Path) -> Session:
    session = Session()
    for file in files:
        with read(file) as frames:
            for frame in frames:
                session.feed(frame)
    return session


async def test_each_file_begins_with_the_current_state(tmp_path: Path) -> None:
    files = await record_files(tmp_path, 4, record_shard_s=1.0)
    for number, file in enumerate(files[1:], 1):
        first = read_all(file)[0][0]
        assert isinstance(first, Welcome)
        assert first.state
        before = folded(*files[:number])
        assert (before.seq, before.at) == (first.seq, first.at)
        alone = Session()
        alone.load(first.state)
        assert alone.digest() == before.digest()
    assert folded(files[-1]).digest() == folded(*files).digest()


async def test_no_event_is_lost_between_files(tmp_path: Path) -> None:
    await record_files(tmp_path, 3, record_shard_s=1.0)
    records, notes = read_all(tmp_path)
    seqs = [record[0] for record in records if not isinstance(record, Welcome)]
    assert notes == []
    assert seqs == list(range(1, len(seqs) + 1))
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in shard_files(tmp_path))


async def test_the_oldest_files_are_deleted_at_the_size_limit(tmp_path: Path) -> None:
    (tmp_path / "voicetop-20200101T000000Z.vtr").write_bytes(bytes(1_000_000))
    files = await record_files(tmp_path, 3, record_shard_s=0.5, record_keep_bytes=400_000)
    assert sum(file.stat().st_size for file in files) < 400_000
    assert not (tmp_path / "voicetop-20200101T000000Z.vtr").exists()


async def test_a_second_hub_may_not_write_into_the_same_folder(tmp_path: Path) -> None:
    first = hub_on(tmp_path)
    await first.start()
    second = hub_on(tmp_path)
    with pytest.raises(
        RecordingError, match="is being written by another recorder: record to another folder"
    ):
        await second.start()
    await first.close()
    third = hub_on(tmp_path)
    await third.start()
    await third.close()
    assert len(shard_files(tmp_path)) == 2


async def test_a_full_disk_is_shown_on_every_console(
    start_hub: Callable[..., Awaitable[Hub]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = await start_hub(record=f"{tmp_path}/", new_session=Session)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordingFile, "append", full)
    watcher = await Watcher.open(hub.url)
    agent = await publisher(hub.url)
    await send(agent, turn(1))
    frame = await watcher.read_until(lambda it: any(event["type"] == "operator" for event in it.events))
    [note] = [event for event in frame.events if event["type"] == "operator"]
    assert (note["act"], note["by"]) == ("note", "hub")
    assert "stopped: the disk is full" in note["text"]
    for each in (watcher.connection, agent):
        await each.close()


@pytest.mark.parametrize("whole_folder", [True, False])
async def test_a_recording_that_is_deleted_under_a_hub_is_followed_by_another_and_everybody_is_told(
    tmp_path: Path, whole_folder: bool
) -> None:
    folder, log = tmp_path / "recordings", list[str]()
    hub = Hub(HubConfig(port=0, record=f"{folder}/"), new_session=Session, log=log.append)
    await hub.start()
    watcher = await Watcher.open(hub.url)
    agent = await publisher(hub.url)
    await send(agent, turn(1))
    [first] = shard_files(folder)
    if whole_folder:
        shutil.rmtree(folder)
    else:
        first.unlink()
    frame = await watcher.read_until(lambda it: any(event["type"] == "operator" for event in it.events))
    [note] = [event for event in frame.events if event["type"] == "operator"]
    [second] = shard_files(folder)
    said = f"{first} was deleted with all its records: from "
    assert note["text"].startswith(said)
    assert note["text"].endswith(f"the recording continues in {second}")
    assert [line for line in log if line.startswith(said)] == [note["text"]]
    health = hub._measure()
    assert (health.status, health.why, health.recording_lost) == ("ok", [], note["text"])
    for each in (watcher.connection, agent):
        await each.close()
    await hub.close()
    first_record = read_all(second)[0][0]
    assert isinstance(first_record, Welcome)
    assert first_record.state
    assert folded(second).digest()


async def test_the_health_of_a_hub_is_degraded_until_another_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = hub_on(tmp_path)
    await hub.start()
    assert hub.feed.sink is not None
    recorder = hub.feed.sink.recorder
    # no state comes, so that it waits for one
    monkeypatch.setattr(hub.feed.sink, "heartbeat", lambda _: None)
    [first] = shard_files(tmp_path)
    first.unlink()
    await until(lambda: bool(recorder.lost_file), 30)
    health = hub._measure()
    assert (health.status, health.why) == ("degraded", [f"{first} was deleted with all its records"])
    await until(lambda: bool(recorder.loss), 30)
    assert (hub._measure().status, shard_files(tmp_path) != []) == ("ok", True)
    await hub.close()
