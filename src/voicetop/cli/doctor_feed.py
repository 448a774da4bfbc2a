"""Checks of a feed for `voicetop doctor`: connection, lag, and errors in its events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from voicetop.cli.findings import Finding
from voicetop.cli.publish_check import findings_of
from voicetop.clock import Clock, WallClock
from voicetop.engine.snapshot import FeedState, Snapshot, View
from voicetop.errors import FeedLost, VoicetopError, nearest
from voicetop.formatting import numbers, times
from voicetop.formatting.numbers import known
from voicetop.sources import Source
from voicetop.ui.lines import clip
from voicetop.ui.style.display_options import SIGNS
from voicetop.wire.codec import Batch
from voicetop.wire.feed_lint import FeedLint
from voicetop.wire.frames import WelcomeHead

if TYPE_CHECKING:
    from voicetop.session import Session
    from voicetop.wire.codec import WireStats

PATIENCE_S = 5.0
LISTEN_S = 4.0
TRIES = 2
SLOW_S = 2.0
"""Lag or clock difference (s) that is reported."""

MAX_SHOWN = 5
MAX_SOURCES = 10
NAME_WIDTH = 60


class Received(Struct):
    """What was received from a feed."""

    where: str
    why: str = ""
    after_s: float = float("nan")
    greeting: WelcomeHead | None = None
    before: int = 0
    ahead_s: float = float("nan")
    listened_s: float = 0.0
    lint: FeedLint = field(default_factory=lambda: FeedLint(joined=True))


def feed_findings(source: Source, session: Session, clock: Clock | None = None) -> list[Finding]:
    """Listen to the feed for a few seconds, and report."""
    received = asyncio.run(_listen(source, session, clock or WallClock()))
    return list(_findings(received, session))


async def _listen(source: Source, session: Session, clock: Clock) -> Received:
    received = Received(source.link.where)
    started = clock.monotonic()
    frames = source.frames()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await _until_live(frames, source, session, received)
        received.after_s = clock.monotonic() - started
        received.before = session.codec.stats.events
        started = clock.monotonic()
        session.on_batch.append(partial(_look_at, received.lint))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_S):
                async for frame in frames:
                    session.feed(frame)
                    received.ahead_s = clock.time() - session.at
        received.listened_s = clock.monotonic() - started
    except TimeoutError:
        received.why = "no response"
    except VoicetopError as error:
        received.why = str(error)
    return received


def _look_at(lint: FeedLint, batch: Batch) -> None:
    for event, at in zip(batch.events, batch.at, strict=True):
        lint.see(event, at)


async def _until_live(
    frames: AsyncIterator[bytes], source: Source, session: Session, received: Received
) -> None:
    """Feed the session until the hub's first live batch. Raises FeedLost if the hub can't be reached."""
    async for frame in frames:
        if source.link.phase == "reconnecting" and source.link.tries >= TRIES:
            raise FeedLost(source.link.why)
        with contextlib.suppress(msgspec.MsgspecError):
            received.greeting = msgspec.json.decode(frame, type=WelcomeHead)
        session.feed(frame)
        if source.link.phase == "live":
            return


def _findings(received: Received, session: Session) -> Iterator[Finding]:
    if received.why or received.greeting is None:
        why = received.why or "it sent nothing that voicetop understands"
        remedy = "run `voicetop serve` to start a hub here, or `voicetop URL` to open one elsewhere"
        yield Finding("FIX", "connection", why, remedy if "refused:" not in why else "")
        return
    snap = session.snapshot(View(limit=0, health=True))
    hello = received.greeting
    named = (
        [f"voicetop {hello.server.removeprefix('voicetop ').removeprefix('voicetop/')}"]
        if hello.server
        else []
    )
    named += [f"deployment {session.deployment}"] if session.deployment else []
    text = f"responds in {1000 * received.after_s:.0f} ms · protocol {hello.protocol}"
    yield Finding("ok", "connection", " · ".join([text, *named]))
    yield _events(received, session, snap)
    if published := snap.capacity.published:
        text = f"the limit set at the hub, {snap.capacity.limit:,}, counts; a publisher says {published:,}"
        yield Finding("note", "capacity", text)
    yield from _figures(received, snap.feed)
    yield from _sources(snap)
    yield from findings_of(received.lint)
    yield _verdict(snap)
    yield from _rules(session)
    yield from _unknown_names(session.codec.stats)


def _events(received: Received, session: Session, snap: Snapshot) -> Finding:
    feed = snap.feed
    count_received = session.codec.stats.events - received.before
    text = (
        f"{count_received / max(received.listened_s, 0.1):,.0f} events/s · {snap.capacity.live:,} live calls · "
        f"{numbers.counted(feed.publishers, 'publisher')}"
    )
    if known(feed.idle_since):
        at = times.clock(feed.idle_since, seconds=False)
        return Finding("note", "publishers", f"no publisher connected: the last one left at {at}Z")
    if not feed.publishers and not snap.capacity.live:
        return Finding(
            "FIX",
            "publishers",
            "no publisher is connected to this hub",
            "see the README, or try `voicetop simulate URL`",
        )
    if feed.publishers_silent:
        silent = f"{text}, {feed.publishers_silent} of them silent for over 15 s"
        return Finding(
            "FIX", "publishers", silent, "check that those agents are running and can reach the hub"
        )
    return Finding("ok", "publishers", text)


def _figures(received: Received, feed: FeedState) -> Iterator[Finding]:
    if known(feed.lag_s):
        slow = feed.lag_s > SLOW_S
        remedy = "check the network between agents and hub, and their clocks" if slow else ""
        yield Finding("FIX" if slow else "ok", "lag", f"{feed.lag_s:.2f} s from agent to hub", remedy)
    if abs(received.ahead_s) > SLOW_S:
        way = "behind" if received.ahead_s < 0 else "ahead of"
        text = f"this machine's is {times.seconds(abs(received.ahead_s))} {way} the hub's, or the link is that slow"
        yield Finding("note", "clocks", text, "the screen shows the hub's time")
    if feed.missed:
        yield Finding(
            "note", "gaps", f"{feed.missed:,} events are missing in {feed.gaps} gap{'s' * (feed.gaps != 1)}"
        )


def _sources(snap: Snapshot) -> Iterator[Finding]:
    """What is wrong with single sources, the worst first."""
    panel = snap.health
    assert panel is not None
    troubled = [source for source in panel.sources if source.troubles]
    for source in troubled[:MAX_SOURCES]:
        name = clip(source.name, NAME_WIDTH) or "without a source"
        for trouble in source.troubles[:MAX_SHOWN]:
            text = f"{name}: {trouble.text}"
            yield Finding("FIX" if trouble.now else "note", "source", text, trouble.remedy)
            if trouble.sample:
                yield Finding("note", "", f"latest at {times.clock(trouble.at)}Z: {trouble.sample}")
    if len(troubled) > MAX_SOURCES:
        yield Finding("note", "source", f"{len(troubled) - MAX_SOURCES:,} more: press H in the console")
    if panel.of and not troubled:
        yield Finding("ok", "sources", f"all is well with {numbers.counted(panel.of, 'source')}")


def _verdict(snap: Snapshot) -> Finding:
    verdict = snap.verdict
    text = f"{SIGNS[verdict.severity].word}: {verdict.text}"
    return Finding("ok" if verdict.severity == "ok" else "note", "verdict", text)


def _rules(session: Session) -> Iterator[Finding]:
    """Rules of this hub whose segment no call has had, and which therefore can't fire."""
    from voicetop.cli.segments import nearest_segment, segments_of

    segments = segments_of(session.engine)
    for rule in session.engine.config.rules if segments else ():
        hits = session.engine.ledger.cells.matching(rule.where)
        if hits is not None and not len(hits):
            who = " × ".join(f"{name}={value}" for name, value in rule.where)
            text = f"rule {rule.name!r} matches nothing: no call has {who}"
            text += nearest_segment(rule.where, segments)
            yield Finding("note", "rules", text, "fix it where `voicetop serve` reads its rules")


def _unknown_names(stats: WireStats) -> Iterator[Finding]:
    """Unknown types and fields."""
    for what, counts, names in (
        ("unknown types", stats.unknown_types, _types()),
        ("unknown fields", stats.unknown_fields, []),
    ):
        for name, count in sorted(counts.items(), key=lambda item: -item[1])[:MAX_SHOWN]:
            hint = nearest(name, names) if names else ""
            likely = hint if "did you mean" in hint else ""
            yield Finding("note", what, f"{name}: {count:,} time{'s' * (count != 1)}{likely}")
    if not (stats.faults or stats.unknown_types or stats.unknown_fields):
        yield Finding("ok", "payloads", f"all {stats.events:,} were well formed")


def _types() -> list[str]:
    from voicetop.wire.events import EVENT_TYPES

    return sorted(map(str, EVENT_TYPES))
