"""Quiet hours: when they apply, and how long an effect is held. Critical alerts are never held.

All times are epoch seconds; the hours are in this machine's time zone, or in UTC.
"""

from __future__ import annotations

from datetime import UTC

from msgspec import Struct

from voicetop.alerts.signals import Effect
from voicetop.formatting.times import in_zone, parse_time_of_day
from voicetop.notify.settings import parse_quiet_hours


class QuietHours(Struct, frozen=True):
    """From minute `begin` of the day to minute `end`, across midnight if `end` is earlier."""

    begin: int
    end: int
    utc: bool = False

    @classmethod
    def of(cls, text: str, *, utc: bool = False) -> QuietHours | None:
        """Parse the config's "22:00-07:00"; None if it is empty."""
        minutes = parse_quiet_hours(text) if text else None
        return cls(*minutes, utc) if minutes else None

    def until(self, now: float) -> float:
        """When the quiet hours at `now` end; 0 outside quiet hours.

        >>> QuietHours(1320, 420, utc=True).until(23 * 3600.0)
        111600.0
        """
        zone = UTC if self.utc else None
        at = in_zone(now, zone)
        minute = at.hour * 60 + at.minute
        same_day = self.begin <= self.end
        if not (self.begin <= minute < self.end if same_day else minute >= self.begin or minute < self.end):
            return 0.0
        return parse_time_of_day(f"{self.end // 60}:{self.end % 60:02d}", now, zone=zone) or 0.0


def held_until(quiet: QuietHours | None, effect: Effect, now: float) -> float:
    """Until when an effect is held; 0 if it is sent now."""
    return quiet.until(now) if quiet is not None and effect.tier != "critical" else 0.0
