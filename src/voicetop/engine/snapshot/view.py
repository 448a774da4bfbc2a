"""What a screen requests."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from voicetop.engine.snapshot.comparison import WindowSample

NAN = float("nan")

Span: TypeAlias = Literal["5m", "30m", "24h"]
Severity: TypeAlias = Literal[
    "ok", "idle", "learning", "catching_up", "recovering", "degraded", "down", "blind"
]
"""The verdict's states. "recovering": the last minute is normal, but the last five minutes still contain the problem.
"idle" (every publisher has left), "learning" (no normal is known yet) and "catching_up" (the events that arrive are
old) say that nothing is judged yet.
"""

Where: TypeAlias = tuple[tuple[str, str], ...]
"""A conjunction of segment values, (("intent", "billing"), ("language", "es")); empty is the whole fleet."""


class View(Struct, frozen=True):
    """What a screen asks for. Rows `offset` to `offset + limit` of the live calls are filled in.

    `sort` is a column name of `CallRow` ("eyes" sorts calls that need attention first). `ended` asks for the ended
    calls instead of the live ones. `text` filters rows: words that must all occur in a row, `field:value`,
    `field>number`, `!word`.

    Expensive parts are made on request: `call_id` requests that call's `CallDetail`, `dimension` for the
    `SegmentsPanel` of a dimension, `trends` for the `TrendsPanel`, `moment` for a `WindowSample`, to be kept.
    `against` asks for a `Comparison` of that moment with the window, `around` (stamp time; 0: none) for one of the
    windows before and after it. `health` asks for the `FeedHealthPanel`.
    """

    span: Span = "5m"
    where: Where = ()
    sort: str = "eyes"
    reverse: bool = False
    text: str = ""
    offset: int = 0
    limit: int = 60
    ended: bool = False
    call_id: str = ""
    dimension: str = ""
    trends: bool = False
    moment: bool = False
    against: WindowSample | None = None
    around: float = 0.0
    health: bool = False
