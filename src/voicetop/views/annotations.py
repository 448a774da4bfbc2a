"""Annotations of people, from the feed and from the file beside a recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voicetop.engine.snapshot import Annotation
from voicetop.wire.events import NOTING, Operator


def merged_acts(fed: Sequence[Operator], beside: Sequence[Operator], at: float) -> list[Operator]:
    """All acts up to `at` (epoch s), each once, oldest first."""
    if not beside:
        return sorted(fed, key=_time)
    ids = {act.event_id for act in fed if act.event_id}
    extra = [act for act in beside if act.ts <= at and act.event_id not in ids]
    return sorted([*fed, *extra], key=_time)


def annotations_of(acts: Iterable[Operator]) -> tuple[Annotation, ...]:
    """The notes and bookmarks among `acts`."""
    return tuple(
        Annotation(act.ts, act.act, act.text, act.by, act.call_id, act.target)
        for act in acts
        if act.act in NOTING
    )


def _time(act: Operator) -> float:
    return act.ts
