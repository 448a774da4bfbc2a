"""What changed in the world near a moment: one window for alerts, rules and back-tests."""

from __future__ import annotations

from collections.abc import Iterable

from voicetop.wire.events import Marker

NEAR_S = 1_800.0
"""What begins within half an hour of a change may have to do with it: a rollout takes its time to reach all calls."""
CHANGES = frozenset({"deploy", "model_update", "prompt", "knowledge_base", "config", "campaign"})
"""Kinds of marker that change what an agent does."""


def changes_near(markers: Iterable[Marker], at: float) -> list[Marker]:
    """Changes of the agent within `NEAR_S` before or after a stamp time, the nearest first."""
    near = [one for one in markers if one.kind in CHANGES and abs(one.ts - at) <= NEAR_S]
    return sorted(near, key=lambda one: (abs(one.ts - at), one.ts))


def last_before(markers: Iterable[Marker], at: float) -> Marker | None:
    """The last marker of any kind within `NEAR_S` before a stamp time, if there is one."""
    return max((one for one in markers if 0 <= at - one.ts <= NEAR_S), key=lambda one: one.ts, default=None)


def name(marker: Marker) -> str:
    """A marker in a few words: "deploy v42"."""
    return f"{marker.kind} {marker.version or marker.label}"
