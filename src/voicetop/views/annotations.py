"""What people noted, as a screen may know it: from the feed itself, and from beside a recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voicetop.engine.snapshot import Annotation
from voicetop.wire.events import NOTING, Operator


def known(told: Sequence[Operator], noted: Sequence[Operator], at: float) -> list[Operator]:
    """All acts about moments up to `at` (epoch s), each once, oldest moment first."""
    if not noted:
        return sorted(told, key=_moment)
    ids = {act.event_id for act in told if act.event_id}
    more = [act for act in noted if act.ts <= at and act.event_id not in ids]
    return sorted([*told, *more], key=_moment)


def memos(acts: Iterable[Operator]) -> tuple[Annotation, ...]:
    """The notes and bookmarks among them."""
    return tuple(
        Annotation(act.ts, act.act, act.text, act.by, act.call_id, act.target)
        for act in acts
        if act.act in NOTING
    )


def _moment(act: Operator) -> float:
    return act.ts
