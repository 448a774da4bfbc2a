"""Baselines in the store: bytes of the detectors' own, with what a person and a check must know about them."""

from __future__ import annotations

import json

from msgspec import Struct

from voicetop.history.store import Store


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
    """Add one; earlier ones of the same name stay. Raises HistoryError."""
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
