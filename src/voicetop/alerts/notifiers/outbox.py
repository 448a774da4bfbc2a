"""What is to be told, on disk until it has been told: nothing is lost when the network or the process dies.

One SQLite file in WAL mode, every change fsync'd. A row is one telling to one target; a second hand-over of the same
is ignored, so that whoever starts again may simply hand over all that it knows.

    held ──► pending ──► sending ──► done
               ▲            │
               └────────────┘  not now, or died meanwhile: it may have arrived, and is told again (`repeats` counts)

`held` is what a watcher knows while another one does the telling. What belongs to one key is told in order: nothing
overtakes an earlier telling that is still pending. A hub that begins anew counts its incidents anew, so a key may come
again: key and onset together are a `thread`, which is one incident. Not thread-safe: one thread owns it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from voicetop.alerts.notifiers.targets import Change
from voicetop.alerts.signals import Effect
from voicetop.errors import NotifyError

State: TypeAlias = Literal["held", "pending", "sending", "done"]
VERSION = 1
KEPT_S = 14 * 86_400.0
"""How long what was told is remembered: a hub tells of an incident for as long as it holds it, and no longer."""

_SCHEMA = """
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  target TEXT NOT NULL, key TEXT NOT NULL, thread TEXT NOT NULL, mark TEXT NOT NULL,
  reason TEXT NOT NULL, at REAL NOT NULL,
  body BLOB NOT NULL, state TEXT NOT NULL, due REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
  why TEXT NOT NULL DEFAULT '', changed REAL NOT NULL,
  UNIQUE (target, thread, mark)
);
CREATE INDEX jobs_by_key ON jobs (target, key, id);
CREATE INDEX jobs_by_thread ON jobs (thread);
CREATE INDEX jobs_open ON jobs (target, id) WHERE state IN ('pending', 'sending');
CREATE TABLE refs (target TEXT NOT NULL, thread TEXT NOT NULL, ref TEXT NOT NULL, PRIMARY KEY (target, thread));
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_PUT = """
INSERT OR IGNORE INTO jobs (target, key, thread, mark, reason, at, body, due, changed, state)
SELECT :target, :key, :thread, :mark, :reason, :at, :body, :now, :now, CASE
  WHEN :held AND NOT EXISTS (SELECT 1 FROM jobs WHERE target = :target AND thread = :thread AND state != 'held')
  THEN 'held' ELSE 'pending' END
WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE target = :target AND thread = :thread AND reason = 'resolved')
"""
_NEXT = """
SELECT id, target, thread, reason, at, body, tries FROM jobs AS j
WHERE target = ? AND state = 'pending' AND due <= ? AND NOT EXISTS (
  SELECT 1 FROM jobs AS e WHERE e.target = j.target AND e.key = j.key AND e.id < j.id
  AND e.state IN ('pending', 'sending'))
ORDER BY id LIMIT 1
"""


class Job(Struct, frozen=True):
    """One telling to one target. `tries` counts those before."""

    id: int
    target: str
    thread: str
    reason: str
    at: float
    what: Effect | Change
    tries: int = 0
    ref: str = ""


class Tally(Struct, frozen=True):
    """How much of what there is. `repeats`: what may arrive twice, as a process died or a connection broke then."""

    held: int = 0
    pending: int = 0
    done: int = 0
    repeats: int = 0
    oldest: float = 0.0


class Outbox:
    """The queue. Raises NotifyError where the file can't be had; a damaged one is put aside (`trouble` says so)."""

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self.trouble = ""
        self._db = self._open()
        self._recover()

    def close(self) -> None:
        self._db.close()

    # -- in -----------------------------------------------------------------------------------------------------

    def put(self, what: Iterable[tuple[str, Effect | Change]], now: float, *, held: bool = False) -> int:
        """Take in what is to be told to which target; how much of it is new. All of it or nothing is on disk, whatever
        dies meanwhile; where the disk takes no more, `trouble` says so.

        Held back, it is still told where this process has told of the same incident before: who began to tell of
        something tells it to the end.
        """
        rows = [
            {"target": target, "key": one.key, "thread": thread_of(one), "mark": _mark(one), "reason": _reason(one),
             "at": one.at, "body": msgspec.json.encode(one), "now": now, "held": held}
            for target, one in what
        ]  # fmt: skip
        before = self._db.total_changes
        self._do(_PUT, rows)
        return self._db.total_changes - before

    def release(self, since: float, threads: Iterable[str]) -> int:
        """Tell what was held back: all of these incidents, and whatever else is not older than `since`."""
        before = self._db.total_changes
        self._do("UPDATE jobs SET state = 'pending' WHERE state = 'held' AND at >= ?", [(since,)])
        self._do(
            "UPDATE jobs SET state = 'pending' WHERE state = 'held' AND thread = ?",
            [(thread,) for thread in threads],
        )
        return self._db.total_changes - before

    # -- out ----------------------------------------------------------------------------------------------------

    def claim(self, target: str, now: float) -> Job | None:
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
        return Job(
            id=row[0], target=row[1], thread=row[2], reason=row[3], at=row[4], what=_what(row[3], row[5]),
            tries=row[6], ref=ref[0] if ref else "",
        )  # fmt: skip

    def done(self, job: Job, ref: str, now: float) -> None:
        """It arrived; `ref` is what the target wants to see the next time."""
        if ref != job.ref:
            self._db.execute("INSERT OR REPLACE INTO refs VALUES (?, ?, ?)", (job.target, job.thread, ref))
        self._do("UPDATE jobs SET state = 'done', why = '', changed = ? WHERE id = ?", [(now, job.id)])

    def again(self, job: Job, due: float, why: str, now: float, *, unsure: bool = False) -> None:
        """It did not arrive, or nobody knows whether it did: not before `due`."""
        if unsure:
            self._count_repeats(1)
        self._do(
            "UPDATE jobs SET state = 'pending', due = ?, why = ?, changed = ? WHERE id = ?",
            [(due, why, now, job.id)],
        )

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
            "SELECT thread, body, max(id) FROM jobs WHERE reason != 'change' GROUP BY thread"
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

    def tally(self) -> Tally:
        """How much waits, and since when the oldest does."""
        counts = dict(self._db.execute("SELECT state, count(*) FROM jobs GROUP BY state"))
        oldest = self._db.execute(
            "SELECT min(at) FROM jobs WHERE state IN ('pending', 'sending')"
        ).fetchone()[0]
        return Tally(
            counts.get("held", 0),
            counts.get("pending", 0) + counts.get("sending", 0),
            counts.get("done", 0),
            int(self.fact("repeats") or 0),
            float(oldest or 0.0),
        )

    def prune(self, now: float) -> None:
        """Forget what was told long ago."""
        old = now - KEPT_S
        self._do(
            "DELETE FROM jobs WHERE changed < ? AND state IN ('done', 'held') AND thread NOT IN"
            " (SELECT thread FROM jobs WHERE state IN ('pending', 'sending'))",
            [(old,)],
        )
        self._do("DELETE FROM refs WHERE thread NOT IN (SELECT thread FROM jobs)", [()])

    # -- the file -----------------------------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        try:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            Path(self.path).touch(mode=0o600)
            return _connect(self.path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise NotifyError(
                    f"{self.path}: the queue cannot be opened ({error}): free it, or name another"
                ) from None
            return self._begin_anew()
        except OSError as error:
            raise NotifyError(f"{self.path}: the queue cannot be made: {error.strerror or error}") from None

    def _begin_anew(self) -> sqlite3.Connection:
        """Who is paged tonight must not depend on a damaged file."""
        aside = Path(f"{self.path}.damaged")
        Path(self.path).replace(aside)
        for end in ("-wal", "-shm"):
            Path(self.path + end).unlink(missing_ok=True)
        self.trouble = f"{self.path}: the queue was damaged; it is put aside as {aside.name}, a new one begun"
        return _connect(self.path)

    def _recover(self) -> None:
        """What was being sent when the process died may have arrived: it is told again, and counted."""
        cut_off = self._db.execute("SELECT count(*) FROM jobs WHERE state = 'sending'").fetchone()[0]
        if cut_off:
            self._count_repeats(cut_off)
            self._do("UPDATE jobs SET state = 'pending' WHERE state = 'sending'", [()])

    def _count_repeats(self, count: int) -> None:
        """To be committed with what follows."""
        repeats = int(self.fact("repeats") or 0) + count
        self._db.execute("INSERT OR REPLACE INTO facts VALUES ('repeats', ?)", (str(repeats),))

    def _do(self, statement: str, rows: Iterable[Sequence[object] | dict[str, object]]) -> None:
        """Write, and commit. Where the disk takes no more, go on in memory: better told now than kept for later."""
        rows = list(rows)
        try:
            self._db.executemany(statement, rows)
            self._db.commit()
        except sqlite3.OperationalError as error:
            self.trouble = (
                f"{self.path}: the disk takes no more ({error}): alerts go out, but what waits would be lost with this "
                "process. Make room and start it again"
            )
            with contextlib.suppress(sqlite3.Error):
                self._db.rollback()
            self._db = _copy_in_memory(self._db)
            self._db.executemany(statement, rows)
            self._db.commit()


def _connect(path: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5.0)
    try:
        _prepare(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: str) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version != VERSION:
        raise NotifyError(f"{path}: the queue is of another voicetop (schema {version}): name another file")
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError(path)


def _copy_in_memory(db: sqlite3.Connection) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:")
    try:
        db.backup(memory)
        db.close()
    except sqlite3.Error:
        memory.close()
        memory = sqlite3.connect(":memory:")
        memory.executescript(_SCHEMA)
    return memory


def thread_of(what: Effect | Change) -> str:
    """One incident: the key, and when it began."""
    return what.key if isinstance(what, Change) else f"{what.key}@{what.onset!r}"


def _mark(what: Effect | Change) -> str:
    """What makes a telling the same as another: an incident fires once, gets worse once per tier, is over once."""
    if isinstance(what, Change):
        return "change"
    if what.reason == "worse":
        return f"worse:{what.tier}"
    return f"acknowledged:{what.at!r}" if what.reason == "acknowledged" else what.reason


def _reason(what: Effect | Change) -> str:
    return "change" if isinstance(what, Change) else what.reason


def _what(reason: str, body: bytes) -> Effect | Change:
    if reason == "change":
        return msgspec.json.decode(body, type=Change)
    return msgspec.json.decode(body, type=Effect)
