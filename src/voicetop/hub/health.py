"""What the hub reports about itself: `/healthz` for programs, one line a minute for people."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from voicetop.engine.snapshot.feed_health import SourceHealth
from voicetop.formatting.numbers import counted, known
from voicetop.hub.console import ConsoleConnection
from voicetop.hub.feed import Feed


class SourceNumbers(Struct, frozen=True):
    """One source in numbers, without anything that it sent: anybody may read it. Times are epoch seconds."""

    source: str
    state: str
    since: float | None
    last_seen: float | None
    events: int
    events_per_s: float
    clock_behind_s: float
    calls_told: int
    """-1 if it doesn't say."""
    calls_held: int
    queue: int
    dropped: int
    faults: dict[str, int]
    """By kind of fault, or why they were ignored."""


class Health(Struct, frozen=True):
    """The hub at one time. `status` is ok or degraded; `why` lists what is wrong.

    `recording_lost` names the last recording that was deleted, moved or truncated, and the one that took its place.
    """

    status: str
    why: list[str]
    epoch: str
    seq: int
    oldest_seq: int
    publishers: int
    consoles: int
    live_calls: int
    events: int
    events_per_s: float
    duplicates: int
    malformed: int
    dropped_by_publishers: int
    slowest_console_s: float
    session_queue_bytes: int
    sources: list[SourceNumbers] = []
    """The worst 50."""
    recording_lost: str = ""


def measure(feed: Feed, publishers: int, consoles: Iterable[ConsoleConnection]) -> Health:
    """The hub as it is now."""
    consoles = list(consoles)
    why = _troubles(feed)
    validator = feed.validator
    return Health(
        status="degraded" if why else "ok",
        why=why,
        epoch=feed.stamper.epoch,
        seq=feed.stamper.seq,
        oldest_seq=feed.backlog.oldest_seq,
        publishers=publishers,
        consoles=len(consoles),
        live_calls=feed.everybody.session.live_calls,
        events=validator.events,
        events_per_s=round(feed.events_per_s, 1),
        duplicates=validator.duplicates,
        malformed=validator.malformed,
        dropped_by_publishers=validator.dropped_by_publishers,
        slowest_console_s=round(max((console.lag_s for console in consoles), default=0.0), 3),
        session_queue_bytes=feed.everybody.session.queued,
        sources=list(map(_numbers, feed.everybody.session.sources)),
        recording_lost=feed.sink.recorder.loss if feed.sink else "",
    )


def _numbers(source: SourceHealth) -> SourceNumbers:
    return SourceNumbers(
        source=source.name,
        state=source.state,
        since=source.since if known(source.since) else None,
        last_seen=source.seen if known(source.seen) else None,
        events=source.events,
        events_per_s=round(source.events_per_s, 1),
        clock_behind_s=round(source.skew_s, 3),
        calls_told=source.calls_told,
        calls_held=source.calls_held,
        queue=source.queue,
        dropped=source.dropped,
        faults=dict(source.kinds),
    )


def _troubles(feed: Feed) -> list[str]:
    why = []
    if feed.sink:
        why += [trouble for trouble in (feed.sink.recorder.error, feed.sink.recorder.lost_file) if trouble]
    failures = sum(audience.session.failures for audience in feed.audiences)
    if failures:
        why.append(f"the hub's own session failed {counted(failures, 'time')}")
    return why


def status_line(health: Health) -> str:
    """The line that is logged every minute.

    >>> status_line(Health("ok", [], "3f", 1204551, 1, 3, 1, 312, 1204000, 1204.0, 2, 0, [], 0, 0.02, 0))
    '3 publishers, 1 console, 312 live calls, 1,204 events/s, seq 1,204,551, 2 duplicates, slowest console 0.0 s'
    """
    words = [
        counted(health.publishers, "publisher"),
        counted(health.consoles, "console"),
        counted(health.live_calls, "live call"),
        f"{health.events_per_s:,.0f} events/s",
        f"seq {health.seq:,}",
    ]
    words += [counted(health.duplicates, "duplicate")] if health.duplicates else []
    words += [f"{health.malformed:,} malformed"] if health.malformed else []
    lost = health.dropped_by_publishers
    words += [f"{lost:,} dropped by publishers"] if lost else []
    if health.consoles:
        words.append(f"slowest console {health.slowest_console_s:.1f} s")
    return ", ".join(words + [f"DEGRADED: {why}" for why in health.why])
