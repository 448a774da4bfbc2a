"""What is to be told, on disk until it has been told: nothing is lost when the network or the process dies.

One SQLite file in WAL mode, every change fsync'd. A row is one telling to one target; a second hand-over of the same
is ignored, so that whoever starts again may simply hand over all that it knows.

    held ──┬──► pending ──► sending ──► done
    quiet ─┘       ▲            │
                   └────────────┘  not now, or died meanwhile: it may have arrived, and is told again (`repeats` counts)

`held` is what a watcher knows while another one does the telling, `told` what that other one said that it told;
`quiet` is what waits for the end of quiet hours: what came and went in them becomes one digest then, what is still on
is told. What belongs to one key is told in order: nothing overtakes an earlier telling that is still pending. A hub
that begins anew counts its incidents anew, so a key may come again: key and onset together are a `thread`, which is one
incident. Not thread-safe: one thread owns it.
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
What: TypeAlias = Effect | IncidentChange | Digest
_Values: TypeAlias = Sequence[object] | dict[str, object]
_Change: TypeAlias = tuple[str, Sequence[_Values]]
KEPT_S = 14 * 86_400.0
"""How long what was told is remembered: a hub tells of an incident for as long as it holds it, and no longer."""

_ELSEWHERE = "SELECT 1 FROM elsewhere WHERE target = :target AND thread = :thread AND mark = :mark"
_MINE = "SELECT 1 FROM jobs WHERE target = :target AND thread = :thread AND state"
_WAITS = f"(:quiet > :now AND NOT (:silent AND EXISTS ({_MINE} IN ('told', 'pending', 'sending', 'done'))))"
_PUT = f"""
INSERT OR IGNORE INTO jobs (target, key, thread, mark, reason, at, body, due, changed, state)
SELECT :target, :key, :thread, :mark, :reason, :at, :body, CASE WHEN {_WAITS} THEN :quiet ELSE :now END, :now, CASE
  WHEN EXISTS ({_ELSEWHERE}) THEN 'told'
  WHEN :held AND NOT EXISTS ({_MINE} NOT IN ('held', 'told')) THEN 'held'
  WHEN {_WAITS} THEN 'quiet'
  ELSE 'pending' END
WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE target = :target AND thread = :thread AND reason = 'resolved')
"""  # noqa: S608
_OUTDONE = """
UPDATE jobs SET state = 'done', why = 'told as worse' WHERE state = 'quiet' AND EXISTS (
  SELECT 1 FROM jobs AS w WHERE w.target = jobs.target AND w.thread = jobs.thread AND w.id > jobs.id
  AND w.reason = 'worse' AND w.state IN ('pending', 'sending', 'done'))
"""
_NEXT = """
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
_TOLD = """
UPDATE jobs SET state = 'told', changed = ? WHERE target = ? AND thread = ? AND mark = ?
AND state IN ('held', 'quiet', 'pending')
"""
_TOLD_OF_OPEN = """
SELECT j.target, j.thread, j.mark, coalesce(r.ref, '') FROM jobs AS j LEFT JOIN refs AS r USING (target, thread)
WHERE j.state = 'done' AND j.thread NOT IN (SELECT thread FROM jobs WHERE reason = 'resolved')
ORDER BY j.id DESC LIMIT ?
"""


class QueuedMessage(Struct, frozen=True):
    """What is to be told to whom. `quiet_until`: not before, unless the target was told of it already and `silent`
    says that another word on it rings nobody there.
    """

    target: str
    what: What
    quiet_until: float = 0.0
    silent: bool = False


class DeliveryJob(Struct, frozen=True):
    """One telling to one target. `tries` counts those before."""

    id: int
    target: str
    thread: str
    reason: str
    at: float
    what: What
    tries: int = 0
    ref: str = ""


class DeliveryCounts(Struct, frozen=True):
    """How much of what there is. `repeats`: what may arrive twice, as a process died or a connection broke then."""

    held: int = 0
    quiet: int = 0
    pending: int = 0
    done: int = 0
    repeats: int = 0
    oldest: float = 0.0


class DeliveryQueue:
    """The queue. Raises NotifyError where the file can't be had; a damaged one is put aside (`trouble` says so)."""

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self._db, self.trouble = queue_file.opened(self.path)
        self._recover()

    def close(self) -> None:
        self._db.close()

    # -- in -----------------------------------------------------------------------------------------------------

    def put(self, what: Iterable[QueuedMessage], now: float, *, held: bool = False) -> int:
        """Take in what is to be told to which target; how much of it is new. All of it or nothing is on disk, whatever
        dies meanwhile; where the disk takes no more, `trouble` says so.

        Held back, it is still told where this process has told of the same incident before: who began to tell of
        something tells it to the end.
        """
        rows = [_row(one) | {"now": now, "held": held} for one in what]
        before = self._db.total_changes
        self._do(_PUT, rows)
        new = self._db.total_changes - before
        if any(row["reason"] == "worse" for row in rows):
            self._do(_OUTDONE, [()])
        return new

    def release(self, since: float, threads: Iterable[str], now: float) -> int:
        """Tell what was held back: all of these incidents, whatever else is not older than `since`, and what the other
        can't have told since it waits for the end of quiet hours, as it goes on doing here.
        """
        before = self._db.total_changes
        self._do(f"{_RELEASE} (at >= :since OR due > :now)", [{"now": now, "since": since}])
        self._do(f"{_RELEASE} thread = :thread", [{"now": now, "thread": thread} for thread in threads])
        released = self._db.total_changes - before
        self._do(_OUTDONE, [()])
        return released

    def end_quiet(self, target: str, now: float, *, held: bool = False) -> None:
        """Where quiet hours are over for a target: one digest of what came and went in them; what else waited is told,
        or `held` where another one tells it.
        """
        waiting = self._db.execute(_QUIET_OVER, (target, now)).fetchall()
        if not waiting:
            return
        changes: list[_Change] = []
        over = [str(thread) for thread, _, came, went in waiting if came and went]
        if over:
            told = [self._first_and_last(target, thread) for thread in over]
            still = sum(not went for *_, went in waiting)
            made = digest(told, max(due for _, due, *_ in waiting), still)
            changes.append((_PUT, [_row(QueuedMessage(target, made)) | {"now": now, "held": False}]))
        changes.append((_DIGESTED, [(target, thread) for thread in over]))
        changes.append((_QUIET_ENDS, [("held" if held else "pending", now, target, now)]))
        self._do_all(changes)

    def _first_and_last(self, target: str, thread: str) -> tuple[Effect, Effect]:
        rows = self._db.execute(
            "SELECT body FROM jobs WHERE target = ? AND thread = ? ORDER BY id", (target, thread)
        ).fetchall()
        first, last = (msgspec.json.decode(row[0], type=Effect) for row in (rows[0], rows[-1]))
        return first, last

    def told_elsewhere(self, told: DeliveryReport, now: float) -> None:
        """Another watcher has told this to the target of that name, and got a ref for it."""
        name = (told.target, told.thread, told.mark)
        self._do_all(
            [
                ("INSERT OR IGNORE INTO elsewhere VALUES (?, ?, ?, ?)", [(*name, now)]),
                (_REF, [(told.target, told.thread, told.ref)] if told.ref else []),
                (_TOLD, [(now, *name)]),
            ]
        )

    def told_of_open(self, most: int) -> list[DeliveryReport]:
        """What this one told of incidents that aren't over, for another watcher to know; the newest."""
        return [DeliveryReport(*row) for row in self._db.execute(_TOLD_OF_OPEN, (most,))]

    # -- out ----------------------------------------------------------------------------------------------------

    def claim(self, target: str, now: float) -> DeliveryJob | None:
        """The next thing to tell a target; noted as being sent before it is given out."""
        row = self._db.execute(_NEXT, (target, now)).fetchone()
        if row is None:
            return None
        self._do(
            "UPDATE jobs SET state = 'sending', tries = tries + 1, changed = ? WHERE id = ?", [(now, row[0])]
        )
        ref = self._db.execute(
            "SELECT ref FROM refs WHERE target = ? AND thread = ?", (target, row[2])
        ).fetchone()
        return DeliveryJob(
            id=row[0], target=row[1], thread=row[2], reason=row[3], at=row[4], what=_what(row[3], row[5]),
            tries=row[6], ref=ref[0] if ref else "",
        )  # fmt: skip

    def done(self, job: DeliveryJob, ref: str, now: float) -> None:
        """It arrived; `ref` is what the target wants to see the next time."""
        self._do_all(
            [
                (_REF, [(job.target, job.thread, ref)] if ref != job.ref else []),
                ("UPDATE jobs SET state = 'done', why = '', changed = ? WHERE id = ?", [(now, job.id)]),
            ]
        )

    def again(self, job: DeliveryJob, due: float, why: str, now: float, *, unsure: bool = False) -> None:
        """It did not arrive, or nobody knows whether it did: not before `due`."""
        later = "UPDATE jobs SET state = 'pending', due = ?, why = ?, changed = ? WHERE id = ?"
        self._do_all([(later, [(due, why, now, job.id)]), self._repeats(int(unsure))])

    def next_due(self, target: str) -> float | None:
        """When there may be something to tell a target; None where nothing is pending."""
        row = self._db.execute(
            "SELECT min(due) FROM jobs WHERE target = ? AND state = 'pending'", (target,)
        ).fetchone()
        return None if row[0] is None else float(row[0])

    # -- what is known ------------------------------------------------------------------------------------------

    def known(self, thread: str) -> list[Effect]:
        """All that was taken in of an incident, oldest first, each once."""
        rows = self._db.execute(
            "SELECT body FROM jobs WHERE thread = ? GROUP BY mark ORDER BY min(id)", (thread,)
        )
        return [msgspec.json.decode(row[0], type=Effect) for row in rows]

    def open_threads(self) -> dict[str, Effect]:
        """Incidents that somebody was told of, or will be, and that are not known to be over: what was told last."""
        rows = self._db.execute(
            "SELECT thread, body, max(id) FROM jobs WHERE reason NOT IN ('change', 'digest') GROUP BY thread"
            " HAVING sum(reason = 'resolved') = 0 AND sum(state != 'held') > 0"
        )
        return {str(row[0]): msgspec.json.decode(row[1], type=Effect) for row in rows}

    def fact(self, name: str) -> str:
        """Something noted before; empty where it wasn't."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def note(self, name: str, value: str) -> None:
        """Note a fact."""
        if self.fact(name) != value:
            self._do("INSERT OR REPLACE INTO facts VALUES (?, ?)", [(name, value)])

    def tally(self) -> DeliveryCounts:
        """How much waits, and since when the oldest does."""
        counts = dict(self._db.execute("SELECT state, count(*) FROM jobs GROUP BY state"))
        oldest = self._db.execute(
            "SELECT min(at) FROM jobs WHERE state IN ('pending', 'sending')"
        ).fetchone()[0]
        return DeliveryCounts(
            counts.get("held", 0),
            counts.get("quiet", 0),
            counts.get("pending", 0) + counts.get("sending", 0),
            counts.get("done", 0),
            int(self.fact("repeats") or 0),
            float(oldest or 0.0),
        )

    def prune(self, now: float) -> None:
        """Forget what was told long ago."""
        old = now - KEPT_S
        self._do(
            "DELETE FROM jobs WHERE changed < ? AND state IN ('done', 'held', 'told') AND thread NOT IN"
            " (SELECT thread FROM jobs WHERE state IN ('pending', 'sending'))",
            [(old,)],
        )
        self._do("DELETE FROM elsewhere WHERE at < ?", [(old,)])
        self._do(
            "DELETE FROM refs WHERE thread NOT IN (SELECT thread FROM jobs)"
            " AND thread NOT IN (SELECT thread FROM elsewhere)",
            [()],
        )

    def _recover(self) -> None:
        """What was being sent when the process died may have arrived: it is told again, and counted."""
        cut_off = self._db.execute("SELECT count(*) FROM jobs WHERE state = 'sending'").fetchone()[0]
        if cut_off:
            again = "UPDATE jobs SET state = 'pending' WHERE state = 'sending'"
            self._do_all([(again, [()]), self._repeats(cut_off)])

    def _repeats(self, more: int) -> _Change:
        """So many more that may arrive twice."""
        repeats = int(self.fact("repeats") or 0) + more
        return "INSERT OR REPLACE INTO facts VALUES ('repeats', ?)", [(str(repeats),)] if more else []

    def _do(self, statement: str, rows: Iterable[_Values]) -> None:
        self._do_all([(statement, list(rows))])

    def _do_all(self, changes: Sequence[_Change]) -> None:
        """Write, and commit. Where the disk takes no more, go on in memory: better told now than kept for later."""
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


def _row(post: QueuedMessage) -> dict[str, object]:
    one = post.what
    return {
        "target": post.target, "key": one.key, "thread": thread_of(one), "mark": mark_of(one), "reason": _reason(one),
        "at": one.at, "body": msgspec.json.encode(one), "quiet": post.quiet_until, "silent": post.silent,
    }  # fmt: skip


def thread_of(what: What) -> str:
    """One incident: the key, and when it began."""
    return f"{what.key}@{what.onset!r}" if isinstance(what, Effect) else what.key


def mark_of(what: What) -> str:
    """What makes a telling the same as another: an incident fires once, gets worse once per tier, is over once.

    It may be taken and given back any number of times.
    """
    if not isinstance(what, Effect):
        return _reason(what)
    if what.reason == "worse":
        return f"worse:{what.tier}"
    return f"{what.reason}:{what.at!r}" if what.reason in ("acknowledged", "returned") else what.reason


def _reason(what: What) -> str:
    if isinstance(what, Effect):
        return what.reason
    return "change" if isinstance(what, IncidentChange) else "digest"


def _what(reason: str, body: bytes) -> What:
    kinds: dict[str, type[What]] = {"change": IncidentChange, "digest": Digest}
    return msgspec.json.decode(body, type=kinds.get(reason, Effect))
