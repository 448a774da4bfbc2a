"""Why a well-formed event was ignored, and what its publisher should do about it."""

from __future__ import annotations

from typing import Literal, TypeAlias

IgnoredKind: TypeAlias = Literal[
    "late turn.start", "unknown call", "amends an unknown turn", "call id used again", "late", "not a state"
]

REMEDIES: dict[IgnoredKind, str] = {
    "late turn.start": "the reply had come already: send turn.start when the caller stops speaking",
    "unknown call": "send call.start first, and again after the hub was restarted",
    "amends an unknown turn": "send the turn first, with the same call_id and turn",
    "call id used again": "a call with this id has ended: give each call an id of its own",
    "not a state": "ended and lost aren't told with call.update: send call.end",
    "late": "too old for every window: send events as they happen, and check the clock",
}
"""What to do, by kind."""
