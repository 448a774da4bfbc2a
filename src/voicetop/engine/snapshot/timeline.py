"""The timeline of a feed: the strip under a replay, and the targets of `e` and `E`.

Frozen values, gathered by folding the records.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from voicetop.engine.snapshot import NAN, Severity

NoteKind: TypeAlias = Literal[
    "trouble", "cleared", "alert", "resolved", "marker", "bookmark", "note", "gap", "security"
]


GRAVITY: tuple[Severity, ...] = (
    *("ok", "idle", "learning", "catching_up", "recovering"),
    *("degraded", "blind", "down"),
)
"""Severities in ascending order; `Timeline.gravity` holds indices into it."""


class Note(Struct, frozen=True):
    """An event of note. `label` is safe to paint; `by` is the author where a person made it."""

    at: float
    kind: NoteKind
    label: str
    severity: Severity = "ok"
    by: str = ""


class Timeline(Struct, frozen=True):
    """From `first_at` to `last_at` (stamp time): slot i begins at `start + i × step` s.

    `turns` counts replies, `errors` final errors, `gravity` is the worst verdict, as an index into `GRAVITY`.
    `complete` is False while a recording is still being scanned.
    """

    first_at: float = NAN
    last_at: float = NAN
    start: float = NAN
    step: float = 1.0
    turns: tuple[int, ...] = ()
    errors: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()
    complete: bool = False
    gravity: tuple[int, ...] = ()
