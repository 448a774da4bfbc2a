"""What of all effects a person at a console is told of, and when: grouped, not too often, not at night for warnings.

    effect ──► great enough? ──► quiet hours? ──► gathers for a moment ──► room in this minute? ──► one notice

What found no room is told as a number with the next notice. Pure: times are handed in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from voicetop.alerts.notifiers import words
from voicetop.alerts.notifiers.settings import NotifyConfig, minutes_of
from voicetop.alerts.notifiers.words import RANK
from voicetop.alerts.signals import Effect, Tier

GATHER_S = 0.3
MOST_A_MINUTE = 6
NAMED = 3


class Notice(Struct, frozen=True):
    """What is shown: `tier` the worst of what it speaks of; `name` the same for the same incident."""

    title: str
    text: str
    tier: Tier
    name: str = "voicetop"


class Gate:
    """`let_in` an effect, then ask `due` what to show; `wait` says when to ask again. Seconds of one clock."""

    def __init__(self, config: NotifyConfig, *, utc: bool = False) -> None:
        self._least = RANK[config.least]
        self._quiet = minutes_of(config.quiet) if config.quiet else None
        self._minute_of: Callable[[float], int] = _utc_minute if utc else _local_minute
        self._gathered: list[Effect] = []
        self._since = 0.0
        self._shown: deque[float] = deque()
        self._known: set[str] = set()

    def let_in(self, effect: Effect, now: float) -> None:
        """Take an effect in, unless nobody wants to hear of it."""
        if not self._wanted(effect, now):
            return
        if not self._gathered:
            self._since = now
        self._gathered.append(effect)

    def wait(self, now: float) -> float | None:
        """Seconds until something may be due; None while nothing waits."""
        if not self._gathered:
            return None
        ready = max(self._since + GATHER_S, self._room_at(now))
        return max(0.0, ready - now)

    def due(self, now: float) -> Notice | None:
        """The notice to show now, if it is time."""
        if not self._gathered or self.wait(now):
            return None
        gathered, self._gathered = self._gathered, []
        self._shown.append(now)
        return _notice(gathered)

    def _wanted(self, effect: Effect, now: float) -> bool:
        """What was told is told to its end; acknowledging is something a person here sees anyway."""
        if effect.reason == "resolved":
            told = effect.key in self._known
            self._known.discard(effect.key)
            return told and not self._is_quiet(effect, now)
        if effect.reason == "acknowledged" or effect.silenced or RANK[effect.tier] < self._least:
            return False
        if self._is_quiet(effect, now):
            return False
        self._known.add(effect.key)
        return True

    def _is_quiet(self, effect: Effect, now: float) -> bool:
        if self._quiet is None or effect.tier == "critical":
            return False
        begin, end = self._quiet
        minute = self._minute_of(now)
        return begin <= minute < end if begin <= end else minute >= begin or minute < end

    def _room_at(self, now: float) -> float:
        """When there is room for one more in a minute."""
        while self._shown and self._shown[0] <= now - 60.0:
            self._shown.popleft()
        return now if len(self._shown) < MOST_A_MINUTE else self._shown[0] + 60.0


def _notice(effects: list[Effect]) -> Notice:
    """One for what is one; a summary, the worst first, for what is several."""
    last = {effect.key: effect for effect in effects}
    told = sorted(last.values(), key=lambda one: (one.reason == "resolved", -RANK[one.tier]))
    worst = told[0]
    if len(told) == 1:
        return Notice(words.title(worst), worst.blame, worst.tier, worst.key)
    firing = sum(one.reason != "resolved" for one in told)
    over = len(told) - firing
    counts = [f"{firing} alerts" if firing > 1 else "1 alert"] * bool(firing) + [f"{over} resolved"] * bool(
        over
    )
    lines = [words.title(one) for one in told[:NAMED]]
    more = len(told) - NAMED
    return Notice(
        f"voicetop: {', '.join(counts)}",
        " · ".join([*lines, f"and {more} more"] if more > 0 else lines),
        worst.tier,
    )


def _utc_minute(now: float) -> int:
    at = datetime.fromtimestamp(now, UTC)
    return at.hour * 60 + at.minute


def _local_minute(now: float) -> int:
    at = datetime.fromtimestamp(now, UTC).astimezone()
    return at.hour * 60 + at.minute
