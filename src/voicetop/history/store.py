"""The history's file: opening, schema upgrades, and one-line errors for everything that can go wrong on disk.

SQLite in WAL mode, so that readers never wait for the writer. The one writing process holds a lock file with its name,
so that the error of a second one can say who holds it.
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
"""Each upgrades the schema by one version. Never change one, only append."""


class Store:
    """A history store, read-only unless `writer` names the writing process. Raises HistoryError."""

    def __init__(self, path: Path, *, writer: str = "") -> None:
        self.path = path
        self._lock = _take_lock(path, writer) if writer else None
        try:
            with self._explained():
                self._db = _open(path, writable=bool(writer))
                self._upgrade(writable=bool(writer))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file, and release the lock."""
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self._db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute for all rows or none. Raises HistoryError."""
        with self._explained():
            try:
                self._db.executemany(statement, rows)
                self._db.commit()
            except sqlite3.Error:
                with contextlib.suppress(sqlite3.Error):
                    self._db.rollback()
                raise

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query. Raises HistoryError."""
        with self._explained():
            return self._db.execute(query, values).fetchall()

    def _upgrade(self, *, writable: bool) -> None:
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
    def _explained(self) -> Iterator[None]:
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
    with contextlib.suppress(OSError):  # SQLite has the better message
        path.touch(mode=0o600)
    db = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    return db


def _what_to_do(error: str) -> str:
    """An SQLite error in plain words, with what to do.

    >>> _what_to_do("database or disk is full")
    'the disk is full: make room'
    """
    if "full" in error:
        return "the disk is full: make room"
    if "locked" in error or "busy" in error:
        return "another program has locked the history: stop it"
    if "readonly" in error or "unable to open" in error:
        return f"the history cannot be opened here ({error}): check the folder and who owns it"
    return f"the disk of the history failed ({error})"


def _take_lock(path: Path, writer: str) -> int:
    """Take the lock beside the file. Raises HistoryError, which names the holder."""
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
