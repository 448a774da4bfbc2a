"""The queue on disk: what was taken in is told, in order for each incident, whatever dies meanwhile."""

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


def claim_all(outbox: DeliveryQueue, now: float = 10.0, target: str = "t") -> list[DeliveryJob]:
    jobs = []
    while (job := outbox.claim(target, now)) is not None:
        outbox.done(job, f"ref of {job.reason}", now)
        jobs.append(job)
    return jobs


def put(outbox: DeliveryQueue, what: list[Effect | IncidentChange], now: float, *, held: bool = False) -> int:
    return outbox.put([QueuedMessage("t", one) for one in what], now, held=held)


def told(jobs: list[DeliveryJob]) -> list[str]:
    return [f"{job.what.key}:{job.reason}" for job in jobs]


def test_what_is_handed_over_twice_is_told_once(path: Path) -> None:
    outbox = DeliveryQueue(path)
    assert put(outbox, [effect(), effect("resolved")], 1.0) == 2
    assert put(outbox, [effect(), effect("resolved", at=5.0)], 2.0) == 0
    assert told(claim_all(outbox)) == ["voicetop-1:fired", "voicetop-1:resolved"]
    assert put(outbox, [effect(), effect("worse")], 3.0) == 0
    assert claim_all(outbox) == []
    outbox.close()


def test_a_ref_comes_back_with_the_next_telling_of_the_same_incident(path: Path) -> None:
    outbox = DeliveryQueue(path)
    put(outbox, [effect(), effect(number=2), effect("resolved")], 1.0)
    refs = [job.ref for job in claim_all(outbox)]
    assert refs == ["", "", "ref of fired"]
    outbox.close()


def test_nothing_overtakes_what_is_told_before_it_of_the_same_incident(path: Path) -> None:
    outbox = DeliveryQueue(path)
    put(outbox, [effect(), effect("resolved"), effect(number=2)], 1.0)
    first = outbox.claim("t", 2.0)
    assert first is not None
    outbox.again(first, 30.0, "not now", 2.0)
    assert told(claim_all(outbox, 10.0)) == ["voicetop-2:fired"]
    assert outbox.next_due("t") == 1.0
    assert told(claim_all(outbox, 30.0)) == ["voicetop-1:fired", "voicetop-1:resolved"]
    outbox.close()


def test_it_may_be_taken_and_given_back_again_and_again(path: Path) -> None:
    outbox = DeliveryQueue(path)
    acts: list[Reason] = ["acknowledged", "returned", "acknowledged", "returned"]
    effects = [effect(reason, at=1_700_000_200.0 + place) for place, reason in enumerate(acts)]
    assert put(outbox, [effect(), *effects], 1.0) == 5
    assert put(outbox, list(effects), 2.0) == 0
    assert [job.reason for job in claim_all(outbox)] == ["fired", *acts]
    outbox.close()


def test_a_hub_that_counts_anew_gives_a_key_again_and_is_still_told_of(path: Path) -> None:
    outbox = DeliveryQueue(path)
    put(outbox, [effect(), effect("resolved")], 1.0)
    assert len(claim_all(outbox)) == 2
    assert put(outbox, [effect(onset=1_700_005_000.0)], 20.0) == 1
    jobs = claim_all(outbox, 20.0)
    assert told(jobs) == ["voicetop-1:fired"]
    assert jobs[0].ref == ""
    outbox.close()


def test_what_a_dead_process_was_sending_is_told_again_and_counted(path: Path) -> None:
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
    outbox = DeliveryQueue(path)
    assert outbox.tally().repeats == 1
    assert told(claim_all(outbox)) == ["voicetop-1:fired", "voicetop-2:fired"]
    outbox.close()


def test_what_is_held_back_is_told_when_its_turn_comes_and_only_as_far_as_it_is_news(path: Path) -> None:
    outbox = DeliveryQueue(path)
    put(
        outbox,
        [effect(), effect("resolved"), effect(number=2), effect(number=3, at=1_700_000_900.0)],
        1.0,
        held=True,
    )
    assert claim_all(outbox) == []
    outbox.release(1_700_000_900.0, [thread_of(effect(number=2))], 2.0)
    assert told(claim_all(outbox)) == ["voicetop-2:fired", "voicetop-3:fired"]
    assert outbox.tally().held == 2
    outbox.close()


def test_who_began_to_tell_of_an_incident_tells_it_to_the_end(path: Path) -> None:
    outbox = DeliveryQueue(path)
    put(outbox, [effect()], 1.0)
    put(outbox, [effect("resolved"), effect(number=2)], 2.0, held=True)
    assert told(claim_all(outbox)) == ["voicetop-1:fired", "voicetop-1:resolved"]
    outbox.close()


def test_open_incidents_are_those_told_of_and_not_over(path: Path) -> None:
    outbox = DeliveryQueue(path)
    put(
        outbox,
        [
            effect(),
            effect("worse"),
            effect(number=2),
            effect("resolved", 2),
            IncidentChange("c", 1.0, "deploy", "v"),
        ],
        1.0,
    )
    assert {thread: one.reason for thread, one in outbox.open_threads().items()} == {
        thread_of(effect()): "worse"
    }
    assert [one.reason for one in outbox.known(thread_of(effect()))] == ["fired", "worse"]
    outbox.close()


def test_a_damaged_queue_is_put_aside_and_a_new_one_begun(path: Path) -> None:
    path.write_bytes(b"this is no database, it only looks like a file" * 100)
    outbox = DeliveryQueue(path)
    assert "the queue was damaged; it was moved to outbox.db.damaged" in outbox.trouble
    assert put(outbox, [effect()], 1.0) == 1
    outbox.close()
    assert path.with_name("outbox.db.damaged").exists()


def test_a_full_disk_keeps_nobody_from_being_told(path: Path) -> None:
    outbox = DeliveryQueue(path)
    put(outbox, [effect()], 1.0)
    outbox._db.execute("PRAGMA max_page_count = 1")
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(2, 80):
        put(outbox, [effect(number=number)], 1.0)
    assert "cannot write to disk" in outbox.trouble
    assert len(claim_all(outbox)) == 79
    outbox.close()


def test_a_disk_that_is_full_when_it_has_arrived_keeps_the_rest_from_nobody(path: Path) -> None:
    outbox = DeliveryQueue(path)
    put(outbox, [effect(number=number) for number in range(9)], 1.0)
    job = outbox.claim("t", 2.0)
    assert job is not None
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")
    outbox.done(job, "r" * 100_000, 3.0)
    assert "cannot write to disk" in outbox.trouble
    outbox.told_elsewhere(DeliveryReport("t", thread_of(effect(number=8)), "fired", "r"), 4.0)
    assert len(claim_all(outbox)) == 7
    assert outbox.tally().done == 8
    outbox.close()


def test_what_waited_for_the_morning_is_not_taken_for_stuck(path: Path) -> None:
    outbox = DeliveryQueue(path)
    quiet(outbox, warning())
    outbox.end_quiet("t", MORNING)
    assert outbox.tally().oldest == MORNING
    outbox.close()


def test_a_queue_that_another_holds_locked_or_of_a_later_version_is_one_clear_line(
    path: Path, tmp_path: Path
) -> None:
    later = sqlite3.connect(path)
    later.execute("PRAGMA user_version = 99")
    later.close()
    with pytest.raises(NotifyError, match=r"from another voicetop version \(schema 99\)"):
        DeliveryQueue(path)
    with pytest.raises(NotifyError, match="cannot open the queue"):
        DeliveryQueue(tmp_path)


# -- quiet hours ---------------------------------------------------------------------------------------------------

MORNING = 1_700_030_000.0


def quiet(outbox: DeliveryQueue, *effects: Effect, held: bool = False, silent: bool = False) -> None:
    now = MORNING - 20_000.0
    outbox.put([QueuedMessage("t", one, MORNING, silent) for one in effects], now, held=held)


def warning(reason: Reason = "fired", number: int = 1) -> Effect:
    return effect(reason, number, tier="warning")


def test_what_came_and_went_in_quiet_hours_is_one_digest_and_what_is_still_on_is_told(path: Path) -> None:
    outbox = DeliveryQueue(path)
    for number in (1, 2):
        quiet(outbox, warning(number=number), warning("resolved", number))
    quiet(outbox, warning(number=3))
    outbox.end_quiet("t", MORNING - 1)
    assert claim_all(outbox, MORNING - 1) == []
    assert outbox.tally().quiet == 5
    outbox.close()
    outbox = DeliveryQueue(path)
    outbox.end_quiet("t", MORNING)
    outbox.end_quiet("t", MORNING + 5)
    jobs = {job.reason: job for job in claim_all(outbox, MORNING)}
    assert set(jobs) == {"fired", "digest"}
    made = jobs["digest"].what
    assert isinstance(made, Digest)
    assert made.title == "2 alerts fired and resolved in quiet hours; 1 still firing, sent separately"
    assert len(made.lines) == 2
    assert made.lines[0].startswith("▲ WARNING · LLM errors 41 %")
    put(outbox, [warning("resolved", 3)], MORNING + 9)
    assert told(claim_all(outbox, MORNING + 9)) == ["voicetop-3:resolved"]
    outbox.close()


def test_what_gets_critical_in_quiet_hours_is_told_at_once_and_is_in_no_digest(path: Path) -> None:
    outbox = DeliveryQueue(path)
    quiet(outbox, warning())
    now = MORNING - 10_000
    put(outbox, [effect("worse"), effect("resolved")], now)
    assert told(claim_all(outbox, now)) == ["voicetop-1:worse", "voicetop-1:resolved"]
    outbox.end_quiet("t", MORNING)
    assert claim_all(outbox, MORNING) == []
    outbox.close()


@pytest.mark.parametrize("silent", [True, False])
def test_the_end_of_what_was_told_before_is_told_as_soon_as_it_rings_nobody(path: Path, silent: bool) -> None:
    outbox = DeliveryQueue(path)
    put(outbox, [warning()], 1.0)
    assert len(claim_all(outbox)) == 1
    quiet(outbox, warning("resolved"), silent=silent)
    assert bool(claim_all(outbox, MORNING - 1)) is silent
    outbox.end_quiet("t", MORNING)
    assert len(claim_all(outbox, MORNING)) == 1 - silent, "and not in a digest: it was told that it fired"
    outbox.close()


def test_who_takes_over_at_night_keeps_quiet_until_the_morning(path: Path) -> None:
    outbox = DeliveryQueue(path)
    quiet(outbox, warning(), warning("resolved"), warning(number=2), held=True)
    outbox.release(2e9, [], MORNING - 1)
    assert claim_all(outbox, MORNING - 1) == []
    outbox.end_quiet("t", MORNING)
    assert {job.reason for job in claim_all(outbox, MORNING)} == {"digest", "fired"}
    outbox.close()


# -- what another watcher told -------------------------------------------------------------------------------------


def as_told(one: Effect, ref: str = "C1 17.1") -> DeliveryReport:
    return DeliveryReport("t", thread_of(one), mark_of(one), ref)


@pytest.mark.parametrize("told_first", [True, False])
def test_what_another_watcher_told_is_not_told_again_and_goes_on_where_that_one_began(
    path: Path, told_first: bool
) -> None:
    outbox = DeliveryQueue(path)
    if told_first:
        outbox.told_elsewhere(as_told(effect()), 1.0)
    put(outbox, [effect(), effect(number=2)], 2.0, held=True)
    if not told_first:
        outbox.told_elsewhere(as_told(effect()), 3.0)
    put(outbox, [effect("acknowledged")], 4.0, held=True)
    assert claim_all(outbox) == [], "the other goes on telling of it"
    outbox.release(0.0, [thread_of(effect()), thread_of(effect(number=2))], 5.0)
    put(outbox, [effect("resolved")], 6.0)
    jobs = claim_all(outbox)
    assert told(jobs) == ["voicetop-2:fired", "voicetop-1:acknowledged", "voicetop-1:resolved"]
    assert [job.ref for job in jobs] == ["", "C1 17.1", "ref of acknowledged"]
    outbox.close()


def test_a_digest_that_another_told_is_not_told_again(path: Path) -> None:
    outbox = DeliveryQueue(path)
    quiet(outbox, warning(), warning("resolved"), warning(number=2))
    outbox.told_elsewhere(DeliveryReport("t", f"digest-{MORNING:.0f}", "digest"), MORNING)
    outbox.end_quiet("t", MORNING, held=True)
    assert claim_all(outbox, MORNING) == []
    assert outbox.tally().held == 1
    outbox.close()


def test_what_is_told_to_the_others_is_what_is_open(path: Path) -> None:
    outbox = DeliveryQueue(path)
    put(outbox, [effect(), effect("worse"), effect(number=2), effect("resolved", 2)], 1.0)
    claim_all(outbox)
    assert outbox.told_of_open(10) == [
        as_told(effect("worse"), "ref of worse"),
        as_told(effect(), "ref of worse"),
    ]
    assert len(outbox.told_of_open(1)) == 1
    outbox.close()


def test_a_queue_of_the_version_before_is_taken_on(path: Path) -> None:
    outbox = DeliveryQueue(path)
    put(outbox, [effect()], 1.0)
    outbox.close()
    with contextlib.closing(sqlite3.connect(path)) as earlier:
        earlier.executescript("DROP TABLE elsewhere; DROP INDEX jobs_quiet; PRAGMA user_version = 1")
    outbox = DeliveryQueue(path)
    outbox.told_elsewhere(as_told(effect(number=2)), 2.0)
    assert told(claim_all(outbox)) == ["voicetop-1:fired"]
    outbox.close()
