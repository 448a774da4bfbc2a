"""The health of the feed itself."""

from __future__ import annotations

from math import inf

from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import NAN, FeedState
from voicetop.engine.windows.histograms import Histograms
from voicetop.engine.windows.slots import FINE, MINUTE
from voicetop.wire.codec import WireStats


def feed_state(engine: Engine, stats: WireStats, epoch: str, seq: int, attention: int = 0) -> FeedState:
    """The header's figures: lag and silence (s), and counts of dropped, late, unknown and malformed events."""
    feed, ledger = engine.feed, engine.ledger
    publishers, silent = feed.reporting(feed.at)
    lags = sorted(feed.lags)
    first, last = (feed.rates[0], feed.rates[-1]) if feed.rates else ((0.0, 0), (0.0, 0))
    elapsed = last[0] - first[0]
    return FeedState(
        epoch=epoch,
        seq=seq,
        lag_s=lags[len(lags) // 2] if lags else NAN,
        silent_s=max(0.0, feed.at - feed.spoke_at) if feed.local else 0.0,
        local=feed.local,
        last_at=feed.spoke_at,
        events=feed.events,
        events_per_s=(last[1] - first[1]) / elapsed if elapsed > 0 else 0.0,
        duplicates=stats.duplicates,
        malformed=stats.malformed,
        unknown=sum(stats.unknown_types.values()),
        late=ledger.windows.late,
        gaps=feed.gaps,
        missed=feed.missed,
        cells=len(ledger.cells.ids),
        folded=ledger.cells.folded + ledger.cells.others,
        publishers=publishers,
        publishers_silent=silent,
        dropped=sum(source.dropped for source in feed.sources.values()),
        skewed=tuple((name, source.skew) for name, source in feed.sources.items() if source.skew),
        covered_s=_covered_s(ledger.windows, engine.at),
        behind_s=feed.behind_s,
        publishers_silent_s=feed.publishers_silent_s,
        left=sum(source.left for source in feed.sources.values()),
        attention=attention,
        idle_since=feed.left_at if feed.idle else NAN,
    )


def _covered_s(windows: Histograms, at: float) -> float:
    """Seconds since the first turn that the windows hold, to 10 seconds while it is young; 0 without any."""
    first = min((width * number for width, number in windows.coarse), default=inf)
    first_fine = min((number * FINE for number in windows.fine), default=inf)
    if first_fine - first < MINUTE:  # in the same slot, or the only one
        first = first_fine
    return max(0.0, at - first)


def sources_without_calls(engine: Engine, sources: set[str]) -> list[str]:
    """Those of these sources that have no live calls and haven't said goodbye, in order.

    One whose events don't name it may have any call without a source. One that says it has calls, and of which none was
    ever seen, has them under other names.
    """
    feed = engine.feed
    live = {call.source for call in engine.roster.live.values()}
    ended = {call.source for call in engine.roster.ended_calls()}

    def has_calls(name: str) -> bool:
        tracker = feed.sources.get(name)
        if tracker is None:
            return name in live or (name not in feed.heard and "" in live)
        return name in live or (tracker.active_calls > 0 and name not in ended)

    left = {name for name, tracker in feed.sources.items() if tracker.left}
    return sorted(name for name in sources - left if not has_calls(name))
