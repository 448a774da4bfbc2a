"""What of all effects a person at a console is told of, and when: grouped, not too often, not at night for warnings.

    effect ──► great enough? ──► quiet hours? ──► gathers for a moment ──► room in this minute? ──► one notice

What found no room is told as a number with the next notice; what quiet hours held back, as one notice when they are
over. Pure: times are handed in.
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from voicetop.alerts.signals import Effect, Tier
from voicetop.notify import message_text
from voicetop.notify.message_text import RANK
from voicetop.notify.quiet_hours import QuietHours, waits_until
from voicetop.notify.settings import NotifyConfig

GATHER_S = 0.3
MOST_A_MINUTE = 6
NAMED = 3
MOST_OF_A_NIGHT = 500


class Notice(Struct, frozen=True):
    """What is shown: `tier` the worst of what it speaks of; `name` the same for the same incident."""

    title: str
    text: str
    tier: Tier
    name: str = "voicetop"


class NoticeGrouping:
    """`let_in` an effect, then ask `due` what to show; `wait` says when to ask again. Seconds of one clock."""

    def __init__(self, config: NotifyConfig, *, utc: bool = False) -> None:
        self._least = RANK[config.least]
        self._quiet = QuietHours.of(config.quiet, utc=utc)
        self._gathered: list[Effect] = []
        self._night: dict[str, Effect] = {}
        self._since = 0.0
        self._shown: deque[float] = deque()
        self._known: set[str] = set()

    def let_in(self, effect: Effect, now: float) -> None:
        """Take an effect in, unless nobody wants to hear of it."""
        if not self._wanted(effect):
            return
        if waits_until(self._quiet, effect, now):
            if len(self._night) < MOST_OF_A_NIGHT or effect.key in self._night:
                self._night[effect.key] = effect
            return
        self._night.pop(effect.key, None)
        self._gather([effect], now)

    def wait(self, now: float) -> float | None:
        """Seconds until something may be due; None while nothing waits."""
        ready = []
        if self._gathered:
            ready.append(max(self._since + GATHER_S, self._room_at(now)))
        if self._night and self._quiet is not None:
            ready.append(self._quiet.until(now) or now)
        return max(0.0, min(ready) - now) if ready else None

    def due(self, now: float) -> Notice | None:
        """The notice to show now, if it is time."""
        if self._night and self._quiet is not None and not self._quiet.until(now):
            night, self._night = list(self._night.values()), {}
            self._gather(night, now)
        if not self._gathered or now < max(self._since + GATHER_S, self._room_at(now)):
            return None
        gathered, self._gathered = self._gathered, []
        self._shown.append(now)
        return _notice(gathered)

    def _gather(self, effects: list[Effect], now: float) -> None:
        if not self._gathered:
            self._since = now
        self._gathered += effects

    def _wanted(self, effect: Effect) -> bool:
        """What was told is told to its end; who takes or gives it back is something a person here sees anyway."""
        if effect.reason == "resolved":
            told = effect.key in self._known
            self._known.discard(effect.key)
            return told
        if (
            effect.reason in ("acknowledged", "returned")
            or effect.silenced
            or RANK[effect.tier] < self._least
        ):
            return False
        self._known.add(effect.key)
        return True

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
        return Notice(message_text.title(worst), worst.blame, worst.tier, worst.key)
    firing = sum(one.reason != "resolved" for one in told)
    over = len(told) - firing
    counts = [f"{firing} alerts" if firing > 1 else "1 alert"] * bool(firing) + [f"{over} resolved"] * bool(
        over
    )
    lines = [message_text.title(one) for one in told[:NAMED]]
    more = len(told) - NAMED
    return Notice(
        f"voicetop: {', '.join(counts)}",
        " · ".join([*lines, f"and {more} more"] if more > 0 else lines),
        worst.tier,
    )
