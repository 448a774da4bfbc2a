"""The queue on disk: every message is sent, in order per incident, whatever crashes."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from notify.receivers import effect
from voicetop.alerts.signals import Effect, Reason
from voicetop.errors import NotifyError
from voicetop.notify.queue import DeliveryJob, DeliveryQueue, QueuedMessage, mark_of, thread_of
from voicetop.notify.targets.base import Digest, IncidentChange
from voicetop.wire.frames import DeliveryReport


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def claim_all(queue: DeliveryQueue, now: float = 10.0, target: str = "t") -> list[DeliveryJob]:
    jobs = []
    while (job := queue.claim(target, now)) is not None:
        queue.done(job, f"ref of {job.reason}", now)
        jobs.append(job)
    return jobs


def put(queue: DeliveryQueue, what: list[Effect | IncidentChange], now: float, *, held: bool = False) -> int:
    return queue.put([QueuedMessage("t", one) for one in what], now, held=held)


def told(jobs: list[DeliveryJob]) -> list[str]:
    return [f"{job.message.key}:{job.reason}" for job in jobs]


def test_a_message_put_twice_is_sent_once(path: Path) -> None:
    queue = DeliveryQueue(path)
    assert put(queue, [effect(), effect("resolved")], 1.0) == 2
    assert put(queue, [effect(), effect("resolved", at=5.0)], 2.0) == 0
    assert told(claim_all(queue)) == ["voicetop-1:fired", "voicetop-1:resolved"]
    assert put(queue, [effect(), effect("worse")], 3.0) == 0
    assert claim_all(queue) == []
    queue.close()


def test_a_ref_is_returned_with_the_next_message_of_the_incident(path: Path) -> None:
    queue = DeliveryQueue(path)
    put(queue, [effect(), effect(number=2), effect("resolved")], 1.0)
    refs = [job.ref for job in claim_all(queue)]
    assert refs == ["", "", "ref of fired"]
    queue.close()


def test_messages_of_one_incident_stay_in_order(path: Path) -> None:
    queue = DeliveryQueue(path)
    put(queue, [effect(), effect("resolved"), effect(number=2)], 1.0)
    first = queue.claim("t", 2.0)
    assert first is not None
    queue.retry(first, 30.0, "not now", 2.0)
    assert told(claim_all(queue, 10.0)) == ["voicetop-2:fired"]
    assert queue.next_due("t") == 1.0
    assert told(claim_all(queue, 30.0)) == ["voicetop-1:fired", "voicetop-1:resolved"]
    queue.close()


def test_an_incident_may_be_acknowledged_and_unacknowledged_repeatedly(path: Path) -> None:
    queue = DeliveryQueue(path)
    acts: list[Reason] = ["acknowledged", "returned", "acknowledged", "returned"]
    effects = [effect(reason, at=1_700_000_200.0 + place) for place, reason in enumerate(acts)]
    assert put(queue, [effect(), *effects], 1.0) == 5
    assert put(queue, list(effects), 2.0) == 0
    assert [job.reason for job in claim_all(queue)] == ["fired", *acts]
    queue.close()


def test_a_key_reused_after_a_hub_restart_is_a_new_incident(path: Path) -> None:
    queue = DeliveryQueue(path)
    put(queue, [effect(), effect("resolved")], 1.0)
    assert len(claim_all(queue)) == 2
    assert put(queue, [effect(onset=1_700_005_000.0)], 20.0) == 1
    jobs = claim_all(queue, 20.0)
    assert told(jobs) == ["voicetop-1:fired"]
    assert jobs[0].ref == ""
    queue.close()


def test_messages_a_dead_process_was_sending_are_sent_again_and_counted(path: Path) -> None:
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from notify.receivers import effect
from voicetop.notify.queue import DeliveryQueue, QueuedMessage
outbox = DeliveryQueue({str(path)!r})
outbox.put([QueuedMessage("t", effect()), QueuedMessage("t", effect(number=2))], 1.0)
assert outbox.claim("t", 2.0)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30, check=False)
    assert done.returncode == -9, done.stderr
    queue = DeliveryQueue(path)
    assert queue.counts().repeats == 1
    assert told(claim_all(queue)) == ["voicetop-1:fired", "voicetop-2:fired"]
    queue.close()


def test_released_messages_are_sent_unless_delivered_elsewhere(path: Path) -> None:
    queue = DeliveryQueue(path)
    put(
        queue,
        [effect(), effect("resolved"), effect(number=2), effect(number=3, at=1_700_000_900.0)],
        1.0,
        held=True,
    )
    assert claim_all(queue) == []
    queue.release(1_700_000_900.0, [thread_of(effect(number=2))], 2.0)
    assert told(claim_all(queue)) == ["voicetop-2:fired", "voicetop-3:fired"]
    assert queue.counts().held == 2
    queue.close()


def test_a_watcher_finishes_an_incident_that_it_started(path: Path) -> None:
    queue = DeliveryQueue(path)
    put(queue, [effect()], 1.0)
    put(queue, [effect("resolved"), effect(number=2)], 2.0, held=True)
    assert told(claim_all(queue)) == ["voicetop-1:fired", "voicetop-1:resolved"]
    queue.close()


def test_open_threads_are_sent_and_unresolved_incidents(path: Path) -> None:
    queue = DeliveryQueue(path)
    put(
        queue,
        [
            effect(),
            effect("worse"),
            effect(number=2),
            effect("resolved", 2),
            IncidentChange("c", 1.0, "deploy", "v"),
        ],
        1.0,
    )
    assert {thread: one.reason for thread, one in queue.open_threads().items()} == {
        thread_of(effect()): "worse"
    }
    assert [one.reason for one in queue.effects_of(thread_of(effect()))] == ["fired", "worse"]
    queue.close()


def test_a_damaged_queue_is_moved_aside_and_recreated(path: Path) -> None:
    path.write_bytes(b"this is no database, it only looks like a file" * 100)
    queue = DeliveryQueue(path)
    assert "the queue was damaged; it was moved to outbox.db.damaged" in queue.trouble
    assert put(queue, [effect()], 1.0) == 1
    queue.close()
    assert path.with_name("outbox.db.damaged").exists()


def test_a_full_disk_does_not_stop_delivery(path: Path) -> None:
    queue = DeliveryQueue(path)
    put(queue, [effect()], 1.0)
    queue._db.execute("PRAGMA max_page_count = 1")
    pages = queue._db.execute("PRAGMA page_count").fetchone()[0]
    queue._db.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(2, 80):
        put(queue, [effect(number=number)], 1.0)
    assert "cannot write to disk" in queue.trouble
    assert len(claim_all(queue)) == 79
    queue.close()


def test_a_disk_that_fills_up_after_a_delivery_does_not_stop_the_rest(path: Path) -> None:
    queue = DeliveryQueue(path)
    put(queue, [effect(number=number) for number in range(9)], 1.0)
    job = queue.claim("t", 2.0)
    assert job is not None
    pages = queue._db.execute("PRAGMA page_count").fetchone()[0]
    queue._db.execute(f"PRAGMA max_page_count = {pages}")
    queue.done(job, "r" * 100_000, 3.0)
    assert "cannot write to disk" in queue.trouble
    queue.record_remote_delivery(DeliveryReport("t", thread_of(effect(number=8)), "fired", "r"), 4.0)
    assert len(claim_all(queue)) == 7
    assert queue.counts().done == 8
    queue.close()


def test_messages_held_for_quiet_hours_do_not_count_as_stuck(path: Path) -> None:
    queue = DeliveryQueue(path)
    quiet(queue, warning())
    queue.end_quiet("t", MORNING)
    assert queue.counts().oldest == MORNING
    queue.close()


def test_a_locked_queue_or_a_later_version_is_one_clear_line(path: Path, tmp_path: Path) -> None:
    later = sqlite3.connect(path)
    later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(NotifyError, match=r"from another voicetop version \(schema 99\)"):
        DeliveryQueue(path)
    with pytest.raises(NotifyError, match="cannot open the queue"):
        DeliveryQueue(tmp_path)


# -- quiet hours ---------------------------------------------------------------------------------------------------

MORNING = 1_700_030_000.0


def quiet(queue: DeliveryQueue, *effects: Effect, held: bool = False, silent: bool = False) -> None:
    now = MORNING - 20_000.0
    queue.put([QueuedMessage("t", one, MORNING, silent) for one in effects], now, held=held)


def warning(reason: Reason = "fired", number: int = 1) -> Effect:
    return effect(reason, number, tier="warning")


def test_quiet_hours_end_with_one_digest_and_the_open_incidents(path: Path) -> None:
    queue = DeliveryQueue(path)
    for number in (1, 2):
        quiet(queue, warning(number=number), warning("resolved", number))
    quiet(queue, warning(number=3))
    queue.end_quiet("t", MORNING - 1)
    assert claim_all(queue, MORNING - 1) == []
    assert queue.counts().quiet == 5
    queue.close()
    queue = DeliveryQueue(path)
    queue.end_quiet("t", MORNING)
    queue.end_quiet("t", MORNING + 5)
    jobs = {job.reason: job for job in claim_all(queue, MORNING)}
    assert set(jobs) == {"fired", "digest"}
    made = jobs["digest"].message
    assert isinstance(made, Digest)
    assert made.title == "2 alerts fired and resolved in quiet hours; 1 still firing, sent separately"
    assert len(made.lines) == 2
    assert made.lines[0].startswith("▲ WARNING · LLM errors 41 %")
    put(queue, [warning("resolved", 3)], MORNING + 9)
    assert told(claim_all(queue, MORNING + 9)) == ["voicetop-3:resolved"]
    queue.close()


def test_an_incident_that_turns_critical_in_quiet_hours_is_sent_at_once(path: Path) -> None:
    queue = DeliveryQueue(path)
    quiet(queue, warning())
    now = MORNING - 10_000
    put(queue, [effect("worse"), effect("resolved")], now)
    assert told(claim_all(queue, now)) == ["voicetop-1:worse", "voicetop-1:resolved"]
    queue.end_quiet("t", MORNING)
    assert claim_all(queue, MORNING) == []
    queue.close()


@pytest.mark.parametrize("silent", [True, False])
def test_a_silent_resolution_does_not_wait_for_quiet_hours(path: Path, silent: bool) -> None:
    queue = DeliveryQueue(path)
    put(queue, [warning()], 1.0)
    assert len(claim_all(queue)) == 1
    quiet(queue, warning("resolved"), silent=silent)
    assert bool(claim_all(queue, MORNING - 1)) is silent
    queue.end_quiet("t", MORNING)
    assert len(claim_all(queue, MORNING)) == 1 - silent, "and not in a digest: it was told that it fired"
    queue.close()


def test_a_takeover_in_quiet_hours_stays_quiet(path: Path) -> None:
    queue = DeliveryQueue(path)
    quiet(queue, warning(), warning("resolved"), warning(number=2), held=True)
    queue.release(2e9, [], MORNING - 1)
    assert claim_all(queue, MORNING - 1) == []
    queue.end_quiet("t", MORNING)
    assert {job.reason for job in claim_all(queue, MORNING)} == {"digest", "fired"}
    queue.close()


# -- what another watcher told -------------------------------------------------------------------------------------


def report_of(one: Effect, ref: str = "C1 17.1") -> DeliveryReport:
    return DeliveryReport("t", thread_of(one), mark_of(one), ref)


@pytest.mark.parametrize("told_first", [True, False])
def test_deliveries_of_another_watcher_are_not_repeated_and_their_refs_are_used(
    path: Path, told_first: bool
) -> None:
    queue = DeliveryQueue(path)
    if told_first:
        queue.record_remote_delivery(report_of(effect()), 1.0)
    put(queue, [effect(), effect(number=2)], 2.0, held=True)
    if not told_first:
        queue.record_remote_delivery(report_of(effect()), 3.0)
    put(queue, [effect("acknowledged")], 4.0, held=True)
    assert claim_all(queue) == [], "the other goes on telling of it"
    queue.release(0.0, [thread_of(effect()), thread_of(effect(number=2))], 5.0)
    put(queue, [effect("resolved")], 6.0)
    jobs = claim_all(queue)
    assert told(jobs) == ["voicetop-2:fired", "voicetop-1:acknowledged", "voicetop-1:resolved"]
    assert [job.ref for job in jobs] == ["", "C1 17.1", "ref of acknowledged"]
    queue.close()


def test_a_digest_delivered_by_another_watcher_is_not_repeated(path: Path) -> None:
    queue = DeliveryQueue(path)
    quiet(queue, warning(), warning("resolved"), warning(number=2))
    queue.record_remote_delivery(DeliveryReport("t", f"digest-{MORNING:.0f}", "digest"), MORNING)
    queue.end_quiet("t", MORNING, held=True)
    assert claim_all(queue, MORNING) == []
    assert queue.counts().held == 1
    queue.close()


def test_only_deliveries_for_open_incidents_are_shared(path: Path) -> None:
    queue = DeliveryQueue(path)
    put(queue, [effect(), effect("worse"), effect(number=2), effect("resolved", 2)], 1.0)
    claim_all(queue)
    assert queue.open_deliveries(10) == [
        report_of(effect("worse"), "ref of worse"),
        report_of(effect(), "ref of worse"),
    ]
    assert len(queue.open_deliveries(1)) == 1
    queue.close()


def test_a_queue_of_the_previous_version_is_upgraded(path: Path) -> None:
    queue = DeliveryQueue(path)
    put(queue, [effect()], 1.0)
    queue.close()
    with contextlib.closing(sqlite3.connect(path)) as earlier:
        earlier.executescript("DROP TABLE elsewhere; DROP INDEX jobs_quiet; PRAGMA user_version = 1")
    queue = DeliveryQueue(path)
    queue.record_remote_delivery(report_of(effect(number=2)), 2.0)
    assert told(claim_all(queue)) == ["voicetop-1:fired"]
    queue.close()
