"""Baselines in the store and in files: bytes of the detectors' own, with what a person and a check must know.

A file is the line `voicetop baseline 1`, then a `KeptBaseline` as MessagePack: what `baseline export` writes, and what
`serve --baseline` takes.
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
"""How many of one name stay in the store: two days of hours."""


class KeptBaseline(Struct, frozen=True):
    """What was normal from `first_at` to `last_at` (stamps), learned from `calls` calls of `deployment`.

    `metrics` are the names of what it holds; `format` names the version of `data`; `source` says what it was made of.
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


def keep(store: Store, baseline: KeptBaseline) -> None:
    """Add one; the last `KEPT` of a name stay. Raises HistoryError."""
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


def newest(store: Store, name: str) -> KeptBaseline | None:
    """The latest of that name. Raises HistoryError."""
    rows = store.read(
        f"SELECT {_COLUMNS} FROM baselines WHERE name = ? ORDER BY made_at DESC, id DESC LIMIT 1",  # noqa: S608
        (name,),
    )
    return _baseline(rows[0]) if rows else None


def all_kept(store: Store) -> list[KeptBaseline]:
    """The latest of each name, by name. Raises HistoryError."""
    names = [str(row[0]) for row in store.read("SELECT DISTINCT name FROM baselines ORDER BY name")]
    found = [newest(store, name) for name in names]
    return [one for one in found if one is not None]


def _baseline(row: tuple[object, ...]) -> KeptBaseline:
    values = list(row)
    values[6] = tuple(json.loads(str(values[6])))
    return KeptBaseline(*values)  # type: ignore[arg-type]


def write_file(path: Path, baseline: KeptBaseline) -> None:
    """Take one elsewhere. Raises HistoryError."""
    try:
        path.write_bytes(HEAD + msgspec.msgpack.encode(baseline))
    except OSError as error:
        raise HistoryError(f"{path}: cannot write the baseline: {error.strerror}") from None


def read_file(path: Path) -> KeptBaseline:
    """One that was taken here. Raises HistoryError for what is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HistoryError(f"{path}: cannot read the baseline: {error.strerror}") from None
    if not data.startswith(HEAD):
        raise HistoryError(f"{path}: not a baseline: create one with `voicetop baseline export`")
    try:
        return msgspec.msgpack.decode(data[len(HEAD) :], type=KeptBaseline)
    except msgspec.DecodeError:
        raise HistoryError(f"{path}: the baseline is damaged: export it again") from None


def check(baseline: KeptBaseline, deployment: str, where: str, format: str) -> str:  # noqa: A002
    """A warning where it is another fleet's, else empty. Raises HistoryError where it measures something else."""
    if baseline.metrics != METRICS or baseline.format != format:
        differ = sorted(set(baseline.metrics) ^ set(METRICS))
        what = f"its metrics differ ({', '.join(differ[:4])})" if differ else "it has another version"
        raise HistoryError(f"{where}: this baseline cannot be used, {what}: learn it again from a recording")
    if baseline.deployment and deployment and baseline.deployment != deployment:
        whose = f"a baseline of {baseline.deployment}, not of {deployment}"
        return f"{where}: {whose}: what is normal there may not be normal here"
    return ""
