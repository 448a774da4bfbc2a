"""Quiet hours: when they are, and what of an effect waits for their end. Critical alerts never do.

Epoch seconds come in and go out; the hours are those of this machine's zone, or of UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from voicetop.alerts.signals import Effect
from voicetop.notify.settings import minutes_of


class QuietHours(Struct, frozen=True):
    """From minute `begin` of the day to minute `end`, over midnight where `end` is earlier."""

    begin: int
    end: int
    utc: bool = False

    @classmethod
    def of(cls, said: str, *, utc: bool = False) -> QuietHours | None:
        """As a config says them; None for none."""
        minutes = minutes_of(said) if said else None
        return cls(*minutes, utc) if minutes else None

    def until(self, now: float) -> float:
        """When the quiet hours of `now` end; 0 where there are none now.

        >>> QuietHours(1320, 420, utc=True).until(23 * 3600.0)
        111600.0
        """
        at = datetime.fromtimestamp(now, UTC)
        if not self.utc:
            at = at.astimezone().replace(tzinfo=None)
        minute = at.hour * 60 + at.minute
        over = self.begin <= self.end
        if not (self.begin <= minute < self.end if over else minute >= self.begin or minute < self.end):
            return 0.0
        ends = at.replace(hour=self.end // 60, minute=self.end % 60, second=0, microsecond=0)
        if ends <= at:
            ends += timedelta(days=1)
        return ends.timestamp()


def waits_until(quiet: QuietHours | None, effect: Effect, now: float) -> float:
    """Until when an effect is held back; 0 where it is told now."""
    return quiet.until(now) if quiet is not None and effect.tier != "critical" else 0.0
