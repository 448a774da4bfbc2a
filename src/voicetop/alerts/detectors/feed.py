"""The feed's own health: who watches with a silent feed is blind, and should know it."""

from __future__ import annotations

from voicetop.alerts.signals import Signal, Tier
from voicetop.engine.engine import Engine
from voicetop.formatting.times import span

BLIND_S = 10.0
LATE_S = 10.0
LATE_LAGS = 20
"""So many heartbeats in a row, five seconds: all that the feed's own figures keep."""
CATCHES_UP = 0.8
"""Who was away tells what happened meanwhile, each event less late than the one before: that passes by itself."""


def signals(engine: Engine, at: float) -> list[Signal]:
    feed = engine.feed
    silent = at - feed.spoke_at if feed.spoke_at else 0.0
    if silent > BLIND_S:
        text = f"blind: the hub has been silent for {span(silent)}"
        return [_signal("feed.silent", "critical", text, feed.spoke_at, silent, BLIND_S)]
    found = []
    told, mute = feed.speaking(at)
    if mute:
        every = mute == told
        seen = [one.seen for one in feed.sources.values() if one.status_at]
        since = max(seen) if every else at
        text = f"{mute} of {told} publishers silent for over 15 s"
        found.append(
            _signal(
                "feed.publishers", "critical" if every else "warning", text, since, float(mute), 0.0, told
            )
        )
    late = feed.lags[-LATE_LAGS:]
    if len(late) == LATE_LAGS and min(late) > LATE_S and late[-1] > CATCHES_UP * late[0]:
        text = f"events come {span(min(late))} late"
        found.append(_signal("feed.late", "warning", text, at, min(late), LATE_S))
    return found


def _signal(rule: str, tier: Tier, text: str, onset: float, value: float, line: float, n: int = 0) -> Signal:
    return Signal(
        rule=rule,
        family="feed",
        tier=tier,
        text=text,
        onset=onset,
        value=value,
        normal=0.0,
        line=line,
        unit="calls" if n else "s",
        n=n,
        because="no data, no verdict",
        metric="feed",
    )
