"""The history's file: opened, brought to this version, and every way in which a disk can fail said in one line.

SQLite in WAL mode, so that readers never wait for the writer. One process writes: it holds a lock beside the file, with
its name in it, so that a second one is told who was first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voicetop.errors import HistoryError

MIGRATIONS = (
    """
    CREATE TABLE baselines (
      id INTEGER PRIMARY KEY, name TEXT NOT NULL, deployment TEXT NOT NULL, made_at REAL NOT NULL,
      first_at REAL NOT NULL, last_at REAL NOT NULL, calls INTEGER NOT NULL, metrics TEXT NOT NULL,
      source TEXT NOT NULL, format TEXT NOT NULL, data BLOB NOT NULL
    );
    CREATE INDEX baselines_by_name ON baselines (name, made_at);
    CREATE TABLE incidents (
      thread TEXT PRIMARY KEY, key TEXT NOT NULL, incident_id TEXT NOT NULL, family TEXT NOT NULL, rule TEXT NOT NULL,
      segment TEXT NOT NULL, tier TEXT NOT NULL, summary TEXT NOT NULL, blame TEXT NOT NULL, onset REAL NOT NULL,
      fired_at REAL, worse_at REAL, acked_at REAL, acked_by TEXT, resolved_at REAL, resolved_by TEXT,
      silenced INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX incidents_by_time ON incidents (onset);
    """,
)
"""Each brings the schema one version on; what is here is never changed, only added to."""


class Store:
    """A history store. `writer` names who writes; without, it is read only. Raises HistoryError."""

    def __init__(self, path: Path, *, writer: str = "") -> None:
        self.path = path
        self._lock = _take_lock(path, writer) if writer else None
        try:
            with self._in_words():
                self._db = _open(path, writable=bool(writer))
                self._bring_up(writable=bool(writer))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """All of it or nothing. Raises HistoryError."""
        with self._in_words():
            try:
                self._db.executemany(statement, rows)
                self._db.commit()
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    self._db.rollback()
                raise

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows. Raises HistoryError."""
        with self._in_words():
            return self._db.execute(query, values).fetchall()

    def _bring_up(self, *, writable: bool) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise HistoryError(
                f"{self.path}: from a later voicetop (schema {version}): update voicetop, or use another file"
            )
        if version < len(MIGRATIONS) and not writable:
            raise HistoryError(
                f"{self.path}: a history of an older version: its writer upgrades it when it starts"
            )
        for number in range(version, len(MIGRATIONS)):
            self._db.executescript(f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise HistoryError(f"{self.path}: {_what_to_do(str(error))}") from None
        except sqlite3.DatabaseError as error:
            raise HistoryError(
                f"{self.path}: the history is damaged ({error}): move it away, and a new one is created"
            ) from None


def _open(path: Path, *, writable: bool) -> sqlite3.Connection:
    if not writable:
        if not path.is_file():
            raise HistoryError(f"{path}: no history yet: a hub or watcher with --history creates one")
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0, check_same_thread=False)
    with contextlib.suppress(OSError):  # said better by SQLite
        path.touch(mode=0o600)
    db = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    return db


def _what_to_do(said: str) -> str:
    """What SQLite says, as a person would, and what to do.

    >>> _what_to_do("database or disk is full")
    'the disk is full: make room'
    """
    if "full" in said:
        return "the disk is full: make room"
    if "locked" in said or "busy" in said:
        return "another program has locked the history: stop it"
    if "readonly" in said or "unable to open" in said:
        return f"the history cannot be opened here ({said}): check the folder and who owns it"
    return f"the disk of the history failed ({said})"


def _take_lock(path: Path, writer: str) -> int:
    """The lock beside the file. Raises HistoryError that names who holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HistoryError(f"{path}: cannot keep a history here: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 100, 0).decode("utf-8", "replace").strip() or "another process"
        os.close(lock)
        raise HistoryError(
            f"{path}: {holder} already writes this history: stop it, or use another file"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"voicetop {writer} (pid {os.getpid()})".encode(), 0)
    return lock
