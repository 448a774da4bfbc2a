"""The file behind `queue`: its schema, opening and upgrading it, and recovery from damage or a full disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from voicetop.errors import NotifyError

VERSION = 2

_SHARED = """
CREATE TABLE elsewhere (
  target TEXT NOT NULL, thread TEXT NOT NULL, mark TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (target, thread, mark)
);
CREATE INDEX jobs_quiet ON jobs (target) WHERE state = 'quiet';
"""
_SCHEMA = (
    """
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
    + _SHARED
)
_UPGRADES = {1: _SHARED}
"""Upgrades a file of an earlier version."""


def open_queue_file(path: str) -> tuple[sqlite3.Connection, str]:
    """The queue at `path`, and a warning to show (empty if none): a damaged file is moved aside.

    Raises NotifyError if the file can't be opened.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(path).touch(mode=0o600)
        return _connect(path), ""
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise NotifyError(
                f"{path}: cannot open the queue ({error}): release it, or use another file"
            ) from None
        return _recreate(path)
    except OSError as error:
        raise NotifyError(f"{path}: cannot create the queue: {error.strerror or error}") from None


def _recreate(path: str) -> tuple[sqlite3.Connection, str]:
    """A damaged file must not keep tonight's pages from being sent."""
    aside = Path(f"{path}.damaged")
    Path(path).replace(aside)
    for end in ("-wal", "-shm"):
        Path(path + end).unlink(missing_ok=True)
    warning = f"{path}: the queue was damaged; it was moved to {aside.name} and a new one created"
    return _connect(path), warning


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
    elif version in _UPGRADES:
        db.executescript(f"BEGIN; {_UPGRADES[version]} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version != VERSION:
        raise NotifyError(
            f"{path}: the queue is from another voicetop version (schema {version}): use another file"
        )
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError(path)


def in_memory(db: sqlite3.Connection) -> sqlite3.Connection:
    """An in-memory copy; empty if the file can't be read any more."""
    memory = sqlite3.connect(":memory:")
    try:
        db.backup(memory)
        db.close()
    except sqlite3.Error:
        memory.close()
        memory = sqlite3.connect(":memory:")
        memory.executescript(_SCHEMA)
    return memory
