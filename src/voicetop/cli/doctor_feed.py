"""Whether a feed answers, with what lag, and what was wrong with what came: for `voicetop doctor`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from voicetop.cli.findings import Finding
from voicetop.clock import Clock, WallClock
from voicetop.engine.snapshot import FeedState, Snapshot, View
from voicetop.errors import FeedLost, VoicetopError, nearest
from voicetop.formatting import numbers, times
from voicetop.formatting.numbers import known
from voicetop.sources import Source
from voicetop.wire.frames import WelcomeHead

if TYPE_CHECKING:
    from voicetop.session import Session
    from voicetop.wire.codec import WireStats

PATIENCE_S = 5.0
LISTEN_S = 2.0
TRIES = 2
SLOW_S = 2.0
"""Lag, or difference of clocks, from which on it is worth a word."""

SHOWN = 5
PROTOCOL = "docs/protocol.md describes every event and field"


class Heard(Struct):
    """What a feed said in the time that was given to it."""

    where: str
    why: str = ""
    after_s: float = float("nan")
    greeting: WelcomeHead | None = None
    before: int = 0
    ahead_s: float = float("nan")
    listened_s: float = 0.0


def feed_findings(source: Source, session: Session, clock: Clock | None = None) -> list[Finding]:
    """Listen for a little and say what was found."""
    heard = asyncio.run(_listen(source, session, clock or WallClock()))
    return list(_told(heard, session))


async def _listen(source: Source, session: Session, clock: Clock) -> Heard:
    heard = Heard(source.link.where)
    begun = clock.monotonic()
    frames = source.frames()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await _until_live(frames, source, session, heard)
        heard.after_s = clock.monotonic() - begun
        heard.before = session.codec.stats.events
        begun = clock.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_S):
                async for frame in frames:
                    session.feed(frame)
                    heard.ahead_s = clock.time() - session.at
        heard.listened_s = clock.monotonic() - begun
    except TimeoutError:
        heard.why = "no response"
    except VoicetopError as error:
        heard.why = str(error)
    return heard


async def _until_live(frames: AsyncIterator[bytes], source: Source, session: Session, heard: Heard) -> None:
    """Up to the first batch that comes from the hub. Raises FeedLost where it can't be reached at all."""
    async for frame in frames:
        if source.link.phase == "reconnecting" and source.link.tries >= TRIES:
            raise FeedLost(source.link.why)
        with contextlib.suppress(msgspec.MsgspecError):
            heard.greeting = msgspec.json.decode(frame, type=WelcomeHead)
        session.feed(frame)
        if source.link.phase == "live":
            return


def _told(heard: Heard, session: Session) -> Iterator[Finding]:
    if heard.why or heard.greeting is None:
        why = heard.why or "it sent nothing that voicetop understands"
        remedy = "run `voicetop serve` to start a hub here, or `voicetop URL` to open one elsewhere"
        yield Finding("FIX", "connection", why, remedy if "refused:" not in why else "")
        return
    snap = session.snapshot(View(limit=0))
    hello = heard.greeting
    named = (
        [f"voicetop {hello.server.removeprefix('voicetop ').removeprefix('voicetop/')}"]
        if hello.server
        else []
    )
    named += [f"deployment {session.deployment}"] if session.deployment else []
    said = f"responds in {1000 * heard.after_s:.0f} ms · protocol {hello.protocol}"
    yield Finding("ok", "connection", " · ".join([said, *named]))
    yield _events(heard, session, snap)
    yield from _figures(heard, snap.feed)
    yield _verdict(snap)
    yield from _rules(session)
    yield from _oddities(session.codec.stats)


def _events(heard: Heard, session: Session, snap: Snapshot) -> Finding:
    feed = snap.feed
    came = session.codec.stats.events - heard.before
    said = (
        f"{came / max(heard.listened_s, 0.1):,.0f} events/s · {snap.capacity.live:,} live calls · "
        f"{numbers.counted(feed.publishers, 'publisher')}"
    )
    if not feed.publishers and not snap.capacity.live:
        return Finding(
            "FIX",
            "publishers",
            "no publisher is connected to this hub",
            "see the README, or try `voicetop simulate URL`",
        )
    if feed.publishers_silent:
        silent = f"{said}, {feed.publishers_silent} of them silent for over 15 s"
        return Finding(
            "FIX", "publishers", silent, "check that those agents are running and can reach the hub"
        )
    return Finding("ok", "publishers", said)


def _figures(heard: Heard, feed: FeedState) -> Iterator[Finding]:
    if known(feed.lag_s):
        slow = feed.lag_s > SLOW_S
        remedy = "check the network between agents and hub, and their clocks" if slow else ""
        yield Finding("FIX" if slow else "ok", "lag", f"{feed.lag_s:.2f} s from agent to hub", remedy)
    if abs(heard.ahead_s) > SLOW_S:
        way = "behind" if heard.ahead_s < 0 else "ahead of"
        said = (
            f"this machine's is {times.seconds(abs(heard.ahead_s))} {way} the hub's, or the link is that slow"
        )
        yield Finding("note", "clocks", said, "the screen shows the hub's time")
    for name, off in feed.skewed[:SHOWN]:
        way = "behind" if off > 0 else "ahead"
        said = f"{name}'s is {times.seconds(abs(off))} {way}; its times are corrected by that"
        yield Finding("FIX", "clocks", said, "set it with NTP")
    if feed.dropped:
        said = f"{feed.dropped:,} events were dropped by publishers with a slow or broken connection"
        yield Finding(
            "FIX", "dropped", said, "the figures lack them; check the network and that the hub stays up"
        )
    if feed.missed:
        yield Finding(
            "note", "gaps", f"{feed.missed:,} events are missing in {feed.gaps} gap{'s' * (feed.gaps != 1)}"
        )


def _verdict(snap: Snapshot) -> Finding:
    verdict = snap.verdict
    return Finding(
        "ok" if verdict.severity == "ok" else "note", "verdict", f"{verdict.severity.upper()}: {verdict.text}"
    )


def _rules(session: Session) -> Iterator[Finding]:
    """Rules in force at this hub whose segment no call has had: they can never fire."""
    from voicetop.cli.segments import nearest_segment, segments_of

    segments = segments_of(session.engine)
    for rule in session.engine.config.rules if segments else ():
        hits = session.engine.ledger.cells.matching(rule.where)
        if hits is not None and not len(hits):
            who = " × ".join(f"{name}={value}" for name, value in rule.where)
            said = f"rule {rule.name!r} matches nothing: no call has {who}"
            said += nearest_segment(rule.where, segments)
            yield Finding("note", "rules", said, "fix it where `voicetop serve` reads its rules")


def _oddities(stats: WireStats) -> Iterator[Finding]:
    """What was malformed and why, then what this version doesn't know."""
    if stats.malformed:
        yield Finding(
            "FIX",
            "malformed",
            f"{stats.malformed:,} malformed payload{'s' * (stats.malformed != 1)}; the first:",
            PROTOCOL,
        )
    for odd in stats.oddities[:SHOWN]:
        yield Finding("note", "", f"{times.clock(odd.at)}Z {odd.why}: {odd.sample}")
    for what, counts, names in (
        ("unknown types", stats.unknown_types, _types()),
        ("unknown fields", stats.unknown_fields, []),
    ):
        for name, count in sorted(counts.items(), key=lambda item: -item[1])[:SHOWN]:
            hint = nearest(name, names) if names else ""
            likely = hint if "did you mean" in hint else ""
            yield Finding("note", what, f"{name}: {count:,} time{'s' * (count != 1)}{likely}")
    if not (stats.malformed or stats.unknown_types or stats.unknown_fields):
        yield Finding("ok", "payloads", f"all {stats.events:,} were well formed")


def _types() -> list[str]:
    from voicetop.wire.events import EVENT_TYPES

    return sorted(map(str, EVENT_TYPES))
