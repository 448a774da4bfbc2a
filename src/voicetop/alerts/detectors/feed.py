"""The feed's own health: silent hub, silent publishers, late events."""

from __future__ import annotations

from voicetop.alerts.signals import Signal, Tier
from voicetop.engine.engine import Engine
from voicetop.formatting.times import span

BLIND_S = 10.0
LATE_S = 10.0
LATE_LAGS = 20
"""Consecutive heartbeats, five seconds: all lags that the feed tracker keeps."""
CATCHES_UP = 0.8
"""A reconnected publisher delivers its backlog with shrinking lag; that isn't an incident."""


def signals(engine: Engine, at: float) -> list[Signal]:
    feed = engine.feed
    silent = at - feed.spoke_at if feed.spoke_at else 0.0
    if silent > BLIND_S:
        text = f"blind: the hub has been silent for {span(silent)}"
        return [_signal("feed.silent", "critical", text, feed.spoke_at, silent, BLIND_S)]
    results = []
    reporting, silent_count = feed.reporting(at)
    if silent_count:
        all_silent = silent_count == reporting
        since = at - feed.publishers_silent_s if all_silent else at
        text = f"{silent_count} of {reporting} publishers silent for over 15 s"
        results.append(
            _signal(
                "feed.publishers",
                "critical" if all_silent else "warning",
                text,
                since,
                float(silent_count),
                0.0,
                reporting,
            )
        )
    late = feed.lags[-LATE_LAGS:]
    if len(late) == LATE_LAGS and min(late) > LATE_S and late[-1] > CATCHES_UP * late[0]:
        text = f"events come {span(min(late))} late"
        results.append(_signal("feed.late", "warning", text, at, min(late), LATE_S))
    return results


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
