"""Messages to send, on disk until delivered: nothing is lost when the network or the process dies.

One SQLite file in WAL mode, every change fsync'd. A row is one message to one target; putting the same message again
has no effect, so a watcher that restarts simply puts everything it knows.

    held ──┬──► pending ──► sending ──► done
    quiet ─┘       ▲            │
                   └────────────┘  failed, or the process died: it may have arrived, and is sent again (`repeats`)

`held`: known to a standby watcher while another one is active. `told`: delivered by that other watcher. `quiet`: waits
for the end of quiet hours; incidents that fired and resolved in them then become one digest, the rest is sent. Messages
of one key are sent in order: none overtakes an earlier one that is still pending. A restarted hub numbers its incidents
from the start, so a key may be reused: key and onset together are a `thread`, which is one incident. Not thread-safe:
one thread owns it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from voicetop.alerts.signals import Effect
from voicetop.notify import queue_file
from voicetop.notify.message_text import digest
from voicetop.notify.targets.base import Digest, IncidentChange
from voicetop.wire.frames import DeliveryReport

State: TypeAlias = Literal["held", "told", "quiet", "pending", "sending", "done"]
Message: TypeAlias = Effect | IncidentChange | Digest
_Values: TypeAlias = Sequence[object] | dict[str, object]
_Change: TypeAlias = tuple[str, Sequence[_Values]]
KEPT_S = 14 * 86_400.0
"""How long delivered messages are remembered: longer than a hub keeps its incidents."""

_ELSEWHERE = "SELECT 1 FROM elsewhere WHERE target = :target AND thread = :thread AND mark = :mark"
_SAME_THREAD = "SELECT 1 FROM jobs WHERE target = :target AND thread = :thread AND state"
_IN_QUIET = (
    f"(:quiet > :now AND NOT (:silent AND EXISTS ({_SAME_THREAD} IN ('told', 'pending', 'sending', 'done'))))"
)
_PUT = f"""
INSERT OR IGNORE INTO jobs (target, key, thread, mark, reason, at, body, due, changed, state)
SELECT :target, :key, :thread, :mark, :reason, :at, :body, CASE WHEN {_IN_QUIET} THEN :quiet ELSE :now END, :now, CASE
  WHEN EXISTS ({_ELSEWHERE}) THEN 'told'
  WHEN :held AND NOT EXISTS ({_SAME_THREAD} NOT IN ('held', 'told')) THEN 'held'
  WHEN {_IN_QUIET} THEN 'quiet'
  ELSE 'pending' END
WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE target = :target AND thread = :thread AND reason = 'resolved')
"""  # noqa: S608
_SUPERSEDE = """
UPDATE jobs SET state = 'done', why = 'told as worse' WHERE state = 'quiet' AND EXISTS (
  SELECT 1 FROM jobs AS w WHERE w.target = jobs.target AND w.thread = jobs.thread AND w.id > jobs.id
  AND w.reason = 'worse' AND w.state IN ('pending', 'sending', 'done'))
"""
_CLAIM = """
SELECT id, target, thread, reason, at, body, tries FROM jobs AS j
WHERE target = ? AND state = 'pending' AND due <= ? AND NOT EXISTS (
  SELECT 1 FROM jobs AS e WHERE e.target = j.target AND e.key = j.key AND e.id < j.id
  AND e.state IN ('pending', 'sending'))
ORDER BY id LIMIT 1
"""
_RELEASE = (
    "UPDATE jobs SET state = CASE WHEN due > :now THEN 'quiet' ELSE 'pending' END, at = max(at, :now)"
    " WHERE state = 'held' AND "
)
_QUIET_OVER = """
SELECT thread, max(due), sum(reason = 'fired') > 0, sum(reason = 'resolved') > 0 FROM jobs
WHERE target = ? AND state = 'quiet' AND due <= ? GROUP BY thread ORDER BY min(id)
"""
_DIGESTED = "UPDATE jobs SET state = 'done', why = 'in the digest' WHERE target = ? AND thread = ? AND state = 'quiet'"
_QUIET_ENDS = "UPDATE jobs SET state = ?, at = max(at, ?) WHERE target = ? AND state = 'quiet' AND due <= ?"
_REF = "INSERT OR REPLACE INTO refs VALUES (?, ?, ?)"
_MARK_REMOTE = """
UPDATE jobs SET state = 'told', changed = ? WHERE target = ? AND thread = ? AND mark = ?
AND state IN ('held', 'quiet', 'pending')
"""
_OPEN_DELIVERIES = """
SELECT j.target, j.thread, j.mark, coalesce(r.ref, '') FROM jobs AS j LEFT JOIN refs AS r USING (target, thread)
WHERE j.state = 'done' AND j.thread NOT IN (SELECT thread FROM jobs WHERE reason = 'resolved')
ORDER BY j.id DESC LIMIT ?
"""


class QueuedMessage(Struct, frozen=True):
    """A message for one target, not to be sent before `quiet_until`.

    With `silent`, an update of an incident that the target knows alerts nobody, and doesn't wait for quiet hours.
    """

    target: str
    message: Message
    quiet_until: float = 0.0
    silent: bool = False


class DeliveryJob(Struct, frozen=True):
    """One message to one target. `tries` counts earlier attempts; `ref` is what the target returned last."""

    id: int
    target: str
    thread: str
    reason: str
    at: float
    message: Message
    tries: int = 0
    ref: str = ""


class DeliveryCounts(Struct, frozen=True):
    """Messages by state. `repeats` counts those that may arrive twice, after a crash or a broken connection.

    `oldest` is when the oldest pending one was queued (epoch s), 0 if none is.
    """

    held: int = 0
    quiet: int = 0
    pending: int = 0
    done: int = 0
    repeats: int = 0
    oldest: float = 0.0


class DeliveryQueue:
    """The queue. Raises NotifyError if the file can't be opened; a damaged one is moved aside (see `trouble`)."""

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self._db, self.trouble = queue_file.open_queue_file(self.path)
        self._recover()

    def close(self) -> None:
        self._db.close()

    # -- enqueueing ---------------------------------------------------------------------------------------------

    def put(self, messages: Iterable[QueuedMessage], now: float, *, held: bool = False) -> int:
        """Queue messages, all or none of them; returns how many are new. `trouble` is set if the disk is full.

        With `held`, messages wait for `release`, except those of incidents that this process has already sent
        messages about: the watcher that starts an incident finishes it.
        """
        rows = [_row(message) | {"now": now, "held": held} for message in messages]
        before = self._db.total_changes
        self._execute(_PUT, rows)
        new = self._db.total_changes - before
        if any(row["reason"] == "worse" for row in rows):
            self._execute(_SUPERSEDE, [()])
        return new

    def release(self, since: float, threads: Iterable[str], now: float) -> int:
        """Release held messages: all of these threads, everything queued at `since` or later, and whatever waits for
        quiet hours, which the other watcher can't have sent. Returns how many.
        """
        before = self._db.total_changes
        self._execute(f"{_RELEASE} (at >= :since OR due > :now)", [{"now": now, "since": since}])
        self._execute(f"{_RELEASE} thread = :thread", [{"now": now, "thread": thread} for thread in threads])
        released = self._db.total_changes - before
        self._execute(_SUPERSEDE, [()])
        return released

    def end_quiet(self, target: str, now: float, *, held: bool = False) -> None:
        """End a target's quiet hours if they are over: queue one digest of what fired and resolved in them, and
        release the rest, or hold it (`held`) while another watcher is active.
        """
        threads = self._db.execute(_QUIET_OVER, (target, now)).fetchall()
        if not threads:
            return
        changes: list[_Change] = []
        digested = [str(thread) for thread, _, fired, resolved in threads if fired and resolved]
        if digested:
            incidents = [self._first_and_last(target, thread) for thread in digested]
            still = sum(not resolved for *_, resolved in threads)
            summary = digest(incidents, max(due for _, due, *_ in threads), still)
            changes.append((_PUT, [_row(QueuedMessage(target, summary)) | {"now": now, "held": False}]))
        changes.append((_DIGESTED, [(target, thread) for thread in digested]))
        changes.append((_QUIET_ENDS, [("held" if held else "pending", now, target, now)]))
        self._execute_all(changes)

    def _first_and_last(self, target: str, thread: str) -> tuple[Effect, Effect]:
        rows = self._db.execute(
            "SELECT body FROM jobs WHERE target = ? AND thread = ? ORDER BY id", (target, thread)
        ).fetchall()
        first, last = (msgspec.json.decode(row[0], type=Effect) for row in (rows[0], rows[-1]))
        return first, last

    def record_remote_delivery(self, report: DeliveryReport, now: float) -> None:
        """Record what another watcher has delivered, with the target's ref."""
        name = (report.target, report.thread, report.mark)
        self._execute_all(
            [
                ("INSERT OR IGNORE INTO elsewhere VALUES (?, ?, ?, ?)", [(*name, now)]),
                (_REF, [(report.target, report.thread, report.ref)] if report.ref else []),
                (_MARK_REMOTE, [(now, *name)]),
            ]
        )

    def open_deliveries(self, most: int) -> list[DeliveryReport]:
        """The latest deliveries for unresolved incidents, at most `most`, to share with other watchers."""
        return [DeliveryReport(*row) for row in self._db.execute(_OPEN_DELIVERIES, (most,))]

    # -- delivering ---------------------------------------------------------------------------------------------

    def claim(self, target: str, now: float) -> DeliveryJob | None:
        """The next due message for a target, marked as sending; None if there is none."""
        row = self._db.execute(_CLAIM, (target, now)).fetchone()
        if row is None:
            return None
        self._execute(
            "UPDATE jobs SET state = 'sending', tries = tries + 1, changed = ? WHERE id = ?", [(now, row[0])]
        )
        ref = self._db.execute(
            "SELECT ref FROM refs WHERE target = ? AND thread = ?", (target, row[2])
        ).fetchone()
        return DeliveryJob(
            id=row[0], target=row[1], thread=row[2], reason=row[3], at=row[4], message=_decode_message(row[3], row[5]),
            tries=row[6], ref=ref[0] if ref else "",
        )  # fmt: skip

    def done(self, job: DeliveryJob, ref: str, now: float) -> None:
        """Mark as delivered; `ref` is passed with the incident's next message."""
        self._execute_all(
            [
                (_REF, [(job.target, job.thread, ref)] if ref != job.ref else []),
                ("UPDATE jobs SET state = 'done', why = '', changed = ? WHERE id = ?", [(now, job.id)]),
            ]
        )

    def retry(self, job: DeliveryJob, due: float, why: str, now: float, *, unsure: bool = False) -> None:
        """Schedule another attempt at `due`. `unsure`: the failed one may have arrived."""
        later = "UPDATE jobs SET state = 'pending', due = ?, why = ?, changed = ? WHERE id = ?"
        self._execute_all([(later, [(due, why, now, job.id)]), self._repeats(int(unsure))])

    def next_due(self, target: str) -> float | None:
        """When the next pending message of a target is due; None if nothing is pending."""
        row = self._db.execute(
            "SELECT min(due) FROM jobs WHERE target = ? AND state = 'pending'", (target,)
        ).fetchone()
        return None if row[0] is None else float(row[0])

    # -- state --------------------------------------------------------------------------------------------------

    def effects_of(self, thread: str) -> list[Effect]:
        """All messages about an incident, oldest first, each once."""
        rows = self._db.execute(
            "SELECT body FROM jobs WHERE thread = ? GROUP BY mark ORDER BY min(id)", (thread,)
        )
        return [msgspec.json.decode(row[0], type=Effect) for row in rows]

    def open_threads(self) -> dict[str, Effect]:
        """The latest effect of each unresolved incident that was sent or is going to be, by thread."""
        rows = self._db.execute(
            "SELECT thread, body, max(id) FROM jobs WHERE reason NOT IN ('change', 'digest') GROUP BY thread"
            " HAVING sum(reason = 'resolved') = 0 AND sum(state != 'held') > 0"
        )
        return {str(row[0]): msgspec.json.decode(row[1], type=Effect) for row in rows}

    def get_fact(self, name: str) -> str:
        """A stored fact; empty if unset."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def set_fact(self, name: str, value: str) -> None:
        """Store a fact."""
        if self.get_fact(name) != value:
            self._execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", [(name, value)])

    def counts(self) -> DeliveryCounts:
        """Messages by state, and since when the oldest one has waited."""
        counts = dict(self._db.execute("SELECT state, count(*) FROM jobs GROUP BY state"))
        oldest = self._db.execute(
            "SELECT min(at) FROM jobs WHERE state IN ('pending', 'sending')"
        ).fetchone()[0]
        return DeliveryCounts(
            counts.get("held", 0),
            counts.get("quiet", 0),
            counts.get("pending", 0) + counts.get("sending", 0),
            counts.get("done", 0),
            int(self.get_fact("repeats") or 0),
            float(oldest or 0.0),
        )

    def prune(self, now: float) -> None:
        """Delete messages delivered more than `KEPT_S` ago."""
        old = now - KEPT_S
        self._execute(
            "DELETE FROM jobs WHERE changed < ? AND state IN ('done', 'held', 'told') AND thread NOT IN"
            " (SELECT thread FROM jobs WHERE state IN ('pending', 'sending'))",
            [(old,)],
        )
        self._execute("DELETE FROM elsewhere WHERE at < ?", [(old,)])
        self._execute(
            "DELETE FROM refs WHERE thread NOT IN (SELECT thread FROM jobs)"
            " AND thread NOT IN (SELECT thread FROM elsewhere)",
            [()],
        )

    def _recover(self) -> None:
        """Messages that were being sent when the process died may have arrived: they are sent again, and counted."""
        cut_off = self._db.execute("SELECT count(*) FROM jobs WHERE state = 'sending'").fetchone()[0]
        if cut_off:
            retry = "UPDATE jobs SET state = 'pending' WHERE state = 'sending'"
            self._execute_all([(retry, [()]), self._repeats(cut_off)])

    def _repeats(self, more: int) -> _Change:
        """The change that counts `more` possible duplicates."""
        repeats = int(self.get_fact("repeats") or 0) + more
        return "INSERT OR REPLACE INTO facts VALUES ('repeats', ?)", [(str(repeats),)] if more else []

    def _execute(self, statement: str, rows: Iterable[_Values]) -> None:
        self._execute_all([(statement, list(rows))])

    def _execute_all(self, changes: Sequence[_Change]) -> None:
        """Write and commit. If the disk is full, continue in memory: sending now beats keeping for later."""
        try:
            self._write(changes)
        except sqlite3.OperationalError as error:
            self.trouble = (
                f"{self.path}: cannot write to disk ({error}): alerts are still sent, but pending "
                "ones would be lost with this process. Free disk space and restart it"
            )
            with contextlib.suppress(sqlite3.Error):
                self._db.rollback()
            self._db = queue_file.in_memory(self._db)
            self._write(changes)

    def _write(self, changes: Sequence[_Change]) -> None:
        for statement, rows in changes:
            self._db.executemany(statement, rows)
        self._db.commit()


def _row(queued: QueuedMessage) -> dict[str, object]:
    message = queued.message
    return {
        "target": queued.target, "key": message.key, "thread": thread_of(message), "mark": mark_of(message),
        "reason": _reason(message), "at": message.at, "body": msgspec.json.encode(message),
        "quiet": queued.quiet_until, "silent": queued.silent,
    }  # fmt: skip


def thread_of(message: Message) -> str:
    """Identifies one incident: its key and onset."""
    return f"{message.key}@{message.onset!r}" if isinstance(message, Effect) else message.key


def mark_of(message: Message) -> str:
    """Identifies a message within its thread, for deduplication.

    An incident fires once, gets worse once per tier and is resolved once; it may be acknowledged any number of times.
    """
    if not isinstance(message, Effect):
        return _reason(message)
    if message.reason == "worse":
        return f"worse:{message.tier}"
    return (
        f"{message.reason}:{message.at!r}"
        if message.reason in ("acknowledged", "returned")
        else message.reason
    )


def _reason(message: Message) -> str:
    if isinstance(message, Effect):
        return message.reason
    return "change" if isinstance(message, IncidentChange) else "digest"


def _decode_message(reason: str, body: bytes) -> Message:
    kinds: dict[str, type[Message]] = {"change": IncidentChange, "digest": Digest}
    return msgspec.json.decode(body, type=kinds.get(reason, Effect))
