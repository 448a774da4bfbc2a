"""The health of a feed, source by source: what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from voicetop.engine.engine import Engine
from voicetop.engine.feed_state import FeedTracker
from voicetop.engine.ignored import REMEDIES as IGNORED
from voicetop.engine.snapshot.feed_health import FeedHealthPanel, SourceHealth, SourceState, SourceTrouble
from voicetop.engine.source_tracker import SKEW_FROM, SourceTracker
from voicetop.formatting.numbers import counted, known
from voicetop.formatting.times import span
from voicetop.wire.faults import REMEDIES, FaultCount, Faults, happened

MAX_SHOWN = 200
RECENT_S = 600.0
"""A fault of the last ten minutes needs attention."""
LONG_QUEUE = 100
LATE_FROM = 10.0
"""Seconds: what becomes known of a turn may come a few seconds later."""
IGNORED_SHARE, IGNORED_LEAST = 0.01, 5
"""From which share of a source's events on, and how many, ignored ones need attention."""
CALLS_OFF_MARKS = 6
"""For so many marks of 5 s a source has to count more or fewer calls than it has here: a status is up to 5 s old."""
ORDER: tuple[SourceState, ...] = ("silent", "attention", "note", "fine", "left")


def feed_health(engine: Engine, faults: Faults, most: int = MAX_SHOWN) -> FeedHealthPanel:
    """Every source that was heard of in the last minutes, or with faults; worst first."""
    feed = engine.feed
    names = {**dict.fromkeys(feed.sources), **dict.fromkeys(faults), **dict.fromkeys(feed.ignored)}
    hub = feed.sources.get("hub")  # hubs send no status, but a publisher may have that name
    if hub is None or not hub.status_at:
        names.pop("hub", None)
    found = [_source(name, feed, faults.get(name, {})) for name in names]
    found.sort(key=lambda source: (ORDER.index(source.state), -sum(_weights(source)), source.name))
    states = [source.state for source in found]
    return FeedHealthPanel(
        sources=tuple(found[:most]),
        of=len(found),
        silent=states.count("silent"),
        attention=states.count("attention"),
        left=states.count("left"),
    )


def _weights(source: SourceHealth) -> tuple[int, ...]:
    return (source.refused, source.repaired, source.ignored, source.dropped, source.queue)


def _source(name: str, feed: FeedTracker, faults: Mapping[str, FaultCount]) -> SourceHealth:
    tracker = feed.sources.get(name)
    ignored = feed.ignored.get(name, {})
    refused = faults["refused"].count if "refused" in faults else 0
    troubles = [*_own_troubles(name, tracker, feed), *_faults(faults, feed.at), *_ignored(ignored, tracker)]
    troubles.sort(key=lambda trouble: not trouble.now)
    found = SourceHealth(
        name,
        state=_state(tracker, troubles, feed.at),
        refused=refused,
        repaired=sum(fault.count for fault in faults.values()) - refused,
        ignored=sum(ignored.values()),
        troubles=tuple(troubles),
        kinds=tuple(sorted([*((kind, fault.count) for kind, fault in faults.items()), *ignored.items()])),
    )
    return found if tracker is None else _with_tracker(found, tracker, feed)


def _with_tracker(found: SourceHealth, tracker: SourceTracker, feed: FeedTracker) -> SourceHealth:
    return SourceHealth(
        found.name,
        state=found.state,
        since=tracker.since or tracker.heard,
        seen=tracker.heard,
        events=tracker.events,
        events_per_s=tracker.rate(feed.rate_times, feed.at),
        skew_s=tracker.skew,
        calls_told=tracker.active_calls if tracker.status_at else -1,
        calls_held=tracker.held,
        refused=found.refused,
        repaired=found.repaired,
        ignored=found.ignored,
        queue=tracker.queue,
        dropped=tracker.dropped,
        troubles=found.troubles,
        kinds=found.kinds,
    )


def _state(tracker: SourceTracker | None, troubles: list[SourceTrouble], at: float) -> SourceState:
    if tracker is not None and tracker.left:
        lately = any(trouble.now and known(trouble.at) for trouble in troubles)
        return "attention" if lately else "left"
    if tracker is not None and tracker.status_at and tracker.silent(at):
        return "silent"
    if any(trouble.now for trouble in troubles):
        return "attention"
    return "note" if troubles else "fine"


# -- what is wrong ----------------------------------------------------------------------------------------------------


def _own_troubles(name: str, tracker: SourceTracker | None, feed: FeedTracker) -> Iterator[SourceTrouble]:
    """What is wrong with the publisher itself."""
    if not name:
        yield SourceTrouble("events that don't say which process sent them", "set `source` in every event")
    if tracker is None or tracker.left:
        return
    if not tracker.status_at and name:
        text = "no source.status, so nobody notices when it falls silent"
        yield SourceTrouble(text, "send source.status after the hello and every 5 s")
    elif tracker.leaving:
        calls = counted(tracker.active_calls, "live call")
        text = f"it said goodbye {span(feed.at - tracker.seen)} ago with {calls}"
        yield SourceTrouble(text, "let calls end before the process does, and send call.end", now=True)
    elif tracker.status_at and tracker.silent(feed.at):
        text = f"silent for {span(feed.at - tracker.heard)}"
        yield SourceTrouble(text, "check that this agent is running and can reach the hub", now=True)
    yield from _clock(tracker, feed)
    yield from _delivery(tracker)
    if abs(tracker.calls_off) >= CALLS_OFF_MARKS and not tracker.silent(feed.at):
        text = f"it says it has {counted(tracker.active_calls, 'call')}; live here: {tracker.held:,}"
        remedy = (
            "some calls never end here: send call.end for every call"
            if tracker.calls_off > 0
            else "some calls are missing: send call.start first, and again after the hub was restarted"
        )
        yield SourceTrouble(text, remedy, now=True)


def _clock(tracker: SourceTracker, feed: FeedTracker) -> Iterator[SourceTrouble]:
    """A clock that is off looks like events that are late, unless the source says what its clock is."""
    if not tracker.skew:
        yield from _lateness(tracker, feed)
        return
    off, way = span(abs(tracker.skew)), "behind" if tracker.skew > 0 else "ahead"
    told = tracker.clock_offset_s
    if known(told) and abs(told + tracker.skew) >= SKEW_FROM:
        text = f"its events come {off} {'late' if tracker.skew > 0 else 'early'}, though its clock is right"
        yield SourceTrouble(text, "send events when they happen, with the time when they did", now=True)
    else:
        text = (
            f"its clock is {off} {way}, or all its events come that {'late' if tracker.skew > 0 else 'early'}"
        )
        yield SourceTrouble(text, "set its clock with NTP; its times are corrected by that", now=True)


def _lateness(tracker: SourceTracker, feed: FeedTracker) -> Iterator[SourceTrouble]:
    """Events that come late, though the clock is right as far as a status tells."""
    if tracker.late_s >= LATE_FROM and not feed.behind_s:
        remedy = "send events when they happen" + (
            "" if tracker.status_at else ", and set its clock with NTP"
        )
        yield SourceTrouble(f"its events come {span(tracker.late_s)} late", remedy, now=True)


def _delivery(tracker: SourceTracker) -> Iterator[SourceTrouble]:
    if tracker.dropped:
        text = f"{counted(tracker.dropped, 'event')} dropped before they could be sent: the figures lack them"
        yield SourceTrouble(text, "its connection is slow or breaks: check the network to the hub", now=True)
    if tracker.queue >= LONG_QUEUE:
        text = f"{counted(tracker.queue, 'event')} waiting to be sent"
        yield SourceTrouble(text, "its connection is slow: check the network to the hub", now=True)


def _faults(faults: Mapping[str, FaultCount], at: float) -> Iterator[SourceTrouble]:
    for kind, fault in sorted(faults.items(), key=lambda item: (item[0] != "refused", -item[1].count)):
        why = f": {fault.why}" if fault.why else ""
        yield SourceTrouble(
            f"{happened(kind, fault.count)}{why}",
            REMEDIES.get(kind, ""),  # type: ignore[call-overload]  # kinds of a later version
            now=at - fault.at < RECENT_S,
            sample=fault.sample,
            at=fault.at,
        )


def _ignored(kinds: Mapping[str, int], tracker: SourceTracker | None) -> Iterator[SourceTrouble]:
    events = tracker.events if tracker is not None else 0
    many = sum(kinds.values()) >= max(IGNORED_LEAST, IGNORED_SHARE * events)
    for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])):
        remedy = IGNORED.get(kind, "")  # type: ignore[call-overload]
        yield SourceTrouble(f"{counted(count, 'event')} ignored: {kind}", remedy, now=many)
