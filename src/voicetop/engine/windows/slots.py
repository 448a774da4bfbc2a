"""Time slots: 10 s for 5 minutes, one minute for 2 hours, a quarter-hour for 24 hours.

A window holds the slots that began within its span, so that no data is older than stated: "5 min" is 290 to 300 s. Only
`Edges.moved` advances time.
"""

from __future__ import annotations

from msgspec import Struct

FINE, MINUTE, QUARTER, HOUR = 10, 60, 900, 3_600
SPANS = {"5m": 300, "30m": 1_800, "24h": 86_400}
MINUTES_FOR = 7_200
SETTLE = 2
"""Seconds after its end at which a 10-second slot closes: nearly all late events arrive by then."""

SlotKey = tuple[int, int]
"""(width in s, number): the slot covers number × width to (number + 1) × width."""


class Edges(Struct, frozen=True):
    """Where the windows begin at `at`, in epoch seconds; `quartered` ends the part kept by quarter-hours only."""

    at: float = 0.0
    short: int = 0
    middle: int = 0
    day: int = 0
    open: int = 0
    quartered: int = 0

    @classmethod
    def moved(cls, at: float) -> Edges:
        whole = int(at // 1)
        return cls(
            at=at,
            short=_up(at - SPANS["5m"], FINE),
            middle=_up(at - SPANS["30m"], MINUTE),
            day=_up(at - SPANS["24h"], MINUTE),
            open=(whole - SETTLE) // FINE * FINE,
            quartered=(whole - MINUTES_FOR) // QUARTER * QUARTER,
        )

    def coarse(self, ts: float) -> SlotKey:
        """The minute or quarter in which the longer windows keep `ts`."""
        if ts < self.quartered:
            return (QUARTER, int(ts // QUARTER))
        return (MINUTE, int(ts // MINUTE))

    def too_late(self, ts: float) -> bool:
        """Whether no window holds the slot of `ts` any more."""
        width, number = self.coarse(ts)
        return width * number < self.day

    def start_of(self, span: str) -> int:
        """Where a window begins, epoch seconds."""
        return {"5m": self.short, "30m": self.middle, "24h": self.day}[span]


def parts_of(key: SlotKey, quartered: int = 0) -> list[SlotKey]:
    """The slots that may hold a part of a minute, a quarter or an hour; those from `quartered` on are minutes.

    >>> parts_of((60, 7)), len(parts_of((900, 7))), len(parts_of((3600, 7))), parts_of((900, 7), 7_200)
    ([(60, 7)], 16, 65, [(900, 7)])
    """
    width, number = key
    narrower = [QUARTER, *([MINUTE] if (number + 1) * width > quartered else [])]
    return [
        key,
        *(
            (narrow, number * width // narrow + part)
            for narrow in narrower
            if narrow < width
            for part in range(width // narrow)
        ),
    ]


def _up(at: float, width: int) -> int:
    return int(-(-at // width)) * width
