"""How the feed itself is doing."""

from __future__ import annotations

from voicetop.engine.engine import Engine
from voicetop.engine.snapshot import NAN, FeedState
from voicetop.wire.codec import WireStats


def feed_state(engine: Engine, stats: WireStats, epoch: str, seq: int) -> FeedState:
    """The header's figures: lag and silence in seconds, and what was dropped, late, unknown or malformed."""
    seen, ledger = engine.feed, engine.ledger
    publishers, silent = seen.speaking(seen.at)
    lags = sorted(seen.lags)
    first, last = (seen.rates[0], seen.rates[-1]) if seen.rates else ((0.0, 0), (0.0, 0))
    passed = last[0] - first[0]
    return FeedState(
        epoch=epoch,
        seq=seq,
        lag_s=lags[len(lags) // 2] if lags else NAN,
        silent_s=max(0.0, seen.at - seen.spoke_at) if seen.local else 0.0,
        local=seen.local,
        last_at=seen.spoke_at,
        events=seen.events,
        events_per_s=(last[1] - first[1]) / passed if passed > 0 else 0.0,
        duplicates=stats.duplicates,
        malformed=stats.malformed,
        unknown=sum(stats.unknown_types.values()),
        late=ledger.windows.late,
        gaps=seen.gaps,
        missed=seen.missed,
        cells=len(ledger.cells.ids),
        folded=ledger.cells.folded + ledger.cells.others,
        publishers=publishers,
        publishers_silent=silent,
        dropped=sum(source.dropped for source in seen.sources.values()),
        skewed=tuple((name, source.skew) for name, source in seen.sources.items() if source.skew),
    )
