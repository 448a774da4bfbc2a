"""Groups effects into notices for a console's user: rate-limited, and without warnings in quiet hours.

    effect ──► tier high enough? ──► quiet hours? ──► grouped briefly ──► rate limit? ──► one notice

Effects over the rate limit are counted in the next notice; those held in quiet hours become one notice when these end.
Pure: times are passed in.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from voicetop.alerts.signals import Effect, Tier
from voicetop.notify import message_text
from voicetop.notify.message_text import RANK
from voicetop.notify.quiet_hours import QuietHours, held_until
from voicetop.notify.settings import NotifyConfig

GROUP_S = 0.3
MOST_A_MINUTE = 6
MOST_LINES = 3
MOST_HELD = 500


class Notice(Struct, frozen=True):
    """One notice: `tier` is the highest among its incidents; `name` is the same for the same incident."""

    title: str
    text: str
    tier: Tier
    name: str = "voicetop"


class NoticeGrouping:
    """`add` an effect, then ask `due` what to show; `wait` says when to ask again. All times are of one clock (s)."""

    def __init__(self, config: NotifyConfig, *, utc: bool = False) -> None:
        self._least = RANK[config.least]
        self._quiet = QuietHours.of(config.quiet, utc=utc)
        self._group: list[Effect] = []
        self._held: dict[str, Effect] = {}
        self._since = 0.0
        self._shown: deque[float] = deque()
        self._known: set[str] = set()

    def add(self, effect: Effect, now: float) -> None:
        """Add an effect, unless it is filtered out."""
        if not self._wanted(effect):
            return
        if held_until(self._quiet, effect, now):
            if len(self._held) < MOST_HELD or effect.key in self._held:
                self._held[effect.key] = effect
            return
        self._held.pop(effect.key, None)
        self._add_all([effect], now)

    def wait(self, now: float) -> float | None:
        """Seconds until something may be due; None while nothing waits."""
        ready = []
        if self._group:
            ready.append(max(self._since + GROUP_S, self._allowed_at(now)))
        if self._held and self._quiet is not None:
            ready.append(self._quiet.until(now) or now)
        return max(0.0, min(ready) - now) if ready else None

    def due(self, now: float) -> Notice | None:
        """The notice to show now, if it is time."""
        if self._held and self._quiet is not None and not self._quiet.until(now):
            held, self._held = list(self._held.values()), {}
            self._add_all(held, now)
        if not self._group or now < max(self._since + GROUP_S, self._allowed_at(now)):
            return None
        group, self._group = self._group, []
        self._shown.append(now)
        return _notice(group)

    def _add_all(self, effects: list[Effect], now: float) -> None:
        if not self._group:
            self._since = now
        self._group += effects

    def _wanted(self, effect: Effect) -> bool:
        """Resolutions follow only what was shown; acknowledgements are visible on the screen anyway."""
        if effect.reason == "resolved":
            known = effect.key in self._known
            self._known.discard(effect.key)
            return known
        if (
            effect.reason in ("acknowledged", "returned")
            or effect.silenced
            or RANK[effect.tier] < self._least
        ):
            return False
        self._known.add(effect.key)
        return True

    def _allowed_at(self, now: float) -> float:
        """When the rate limit allows the next notice."""
        while self._shown and self._shown[0] <= now - 60.0:
            self._shown.popleft()
        return now if len(self._shown) < MOST_A_MINUTE else self._shown[0] + 60.0


def _notice(effects: list[Effect]) -> Notice:
    """The notice of one incident, or a summary of several, the worst first."""
    last = {effect.key: effect for effect in effects}
    incidents = sorted(last.values(), key=lambda effect: (effect.reason == "resolved", -RANK[effect.tier]))
    worst = incidents[0]
    if len(incidents) == 1:
        return Notice(message_text.title(worst), worst.blame, worst.tier, worst.key)
    firing = sum(effect.reason != "resolved" for effect in incidents)
    over = len(incidents) - firing
    counts = [f"{firing} alerts" if firing > 1 else "1 alert"] * bool(firing) + [f"{over} resolved"] * bool(
        over
    )
    lines = [message_text.title(effect) for effect in incidents[:MOST_LINES]]
    more = len(incidents) - MOST_LINES
    return Notice(
        f"voicetop: {', '.join(counts)}",
        " · ".join([*lines, f"and {more} more"] if more > 0 else lines),
        worst.tier,
    )
