"""Baselines in the store and in files: the detectors' own bytes, with metadata to show and to check.

A file is the line `voicetop baseline 1`, then a `StoredBaseline` as MessagePack: written by `baseline export`,
read by `serve --baseline`.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from msgspec import Struct

from voicetop.engine.windows.histograms import METRICS
from voicetop.errors import HistoryError
from voicetop.history.store import Store

HEAD = b"voicetop baseline 1\n"
KEPT = 48
"""Baselines kept per name: two days of hourly ones."""


class StoredBaseline(Struct, frozen=True):
    """What was normal from `first_at` to `last_at` (stamps), learned from `calls` calls of `deployment`.

    `metrics` names what it covers, `format` the version of `data`, and `source` the feed or recording.
    """

    name: str
    deployment: str
    made_at: float
    first_at: float
    last_at: float
    calls: int
    metrics: tuple[str, ...]
    source: str
    format: str
    data: bytes


_COLUMNS = "name, deployment, made_at, first_at, last_at, calls, metrics, source, format, data"


def save(store: Store, baseline: StoredBaseline) -> None:
    """Add a baseline, and delete all but the last `KEPT` of its name. Raises HistoryError."""
    row = (
        *(
            baseline.name,
            baseline.deployment,
            baseline.made_at,
            baseline.first_at,
            baseline.last_at,
            baseline.calls,
        ),
        *(json.dumps(baseline.metrics), baseline.source, baseline.format, baseline.data),
    )
    store.write(f"INSERT INTO baselines ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [row])  # noqa: S608
    store.write(
        "DELETE FROM baselines WHERE name = ? AND id NOT IN"
        " (SELECT id FROM baselines WHERE name = ? ORDER BY made_at DESC, id DESC LIMIT ?)",
        [(baseline.name, baseline.name, KEPT)],
    )


def latest(store: Store, name: str) -> StoredBaseline | None:
    """The latest baseline of a name, None if there is none. Raises HistoryError."""
    rows = store.read(
        f"SELECT {_COLUMNS} FROM baselines WHERE name = ? ORDER BY made_at DESC, id DESC LIMIT 1",  # noqa: S608
        (name,),
    )
    return _baseline(rows[0]) if rows else None


def latest_of_each(store: Store) -> list[StoredBaseline]:
    """The latest baseline of each name, sorted by name. Raises HistoryError."""
    names = [str(row[0]) for row in store.read("SELECT DISTINCT name FROM baselines ORDER BY name")]
    return [baseline for name in names if (baseline := latest(store, name)) is not None]


def _baseline(row: tuple[object, ...]) -> StoredBaseline:
    values = list(row)
    values[6] = tuple(json.loads(str(values[6])))
    return StoredBaseline(*values)  # type: ignore[arg-type]


def write_file(path: Path, baseline: StoredBaseline) -> None:
    """Export a baseline. Raises HistoryError."""
    try:
        path.write_bytes(HEAD + msgspec.msgpack.encode(baseline))
    except OSError as error:
        raise HistoryError(f"{path}: cannot write the baseline: {error.strerror}") from None


def read_file(path: Path) -> StoredBaseline:
    """Read an exported baseline. Raises HistoryError if the file isn't one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HistoryError(f"{path}: cannot read the baseline: {error.strerror}") from None
    if not data.startswith(HEAD):
        raise HistoryError(f"{path}: not a baseline: create one with `voicetop baseline export`")
    try:
        return msgspec.msgpack.decode(data[len(HEAD) :], type=StoredBaseline)
    except msgspec.DecodeError:
        raise HistoryError(f"{path}: the baseline is damaged: export it again") from None


def check(baseline: StoredBaseline, deployment: str, where: str, format: str) -> str:  # noqa: A002
    """A warning if it is of another deployment, else empty. Raises HistoryError if metrics or version differ."""
    if baseline.metrics != METRICS or baseline.format != format:
        differ = sorted(set(baseline.metrics) ^ set(METRICS))
        what = f"its metrics differ ({', '.join(differ[:4])})" if differ else "it has another version"
        raise HistoryError(f"{where}: this baseline cannot be used, {what}: learn it again from a recording")
    if baseline.deployment and deployment and baseline.deployment != deployment:
        other = f"a baseline of {baseline.deployment}, not of {deployment}"
        return f"{where}: {other}: what is normal there may not be normal here"
    return ""
