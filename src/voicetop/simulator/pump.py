"""Feeds a hub with a fleet: events don't queue up, they are made when they can be sent."""

from __future__ import annotations

import ssl as tls
from collections.abc import Callable

from voicetop.clock import Clock, WallClock
from voicetop.connection.backoff import Backoff
from voicetop.publish.lossless import LosslessPublisher, SentFrames
from voicetop.simulator.fleet import Fleet

TICK_S = 0.02
PIECE_S = 1.0
PAST_PIECE_S = 60.0
PIECE_EVENTS = 20_000
"""Target events per piece of history, so that simulating and sending alternate."""


async def pump(
    url: str,
    token: str | None,
    fleet: Fleet,
    clock: Clock | None = None,
    *,
    duration: float | None = None,
    ssl: tls.SSLContext | None = None,
    backoff: Backoff | None = None,
    opened: Callable[[], None] = lambda: None,
) -> SentFrames:
    """Feed the hub at `url`: the fleet's history at once, then what happens, when it happens.

    `opened` is called once connected. Runs for `duration` seconds after the fleet's start, or until cancelled.
    Raises FeedLost if no hub answers at first, FeedRefused if one refuses, UsageError for a URL or token that
    cannot work.
    """
    clock = clock or WallClock()
    sender = LosslessPublisher(url, token, fleet.config.source, clock, ssl=ssl, backoff=backoff)
    past_s = PAST_PIECE_S
    end = float("inf") if duration is None else fleet.start + duration
    await sender.open()
    opened()
    try:
        while fleet.now < end:
            if sender.lost:
                await sender.reconnect(fleet.announcements())
            now = min(clock.time(), end)
            piece = PIECE_S if fleet.now >= fleet.start else min(past_s, fleet.start - fleet.now)
            target = min(now, fleet.now + piece)
            events = fleet.until(target)
            past_s = min(PAST_PIECE_S, max(PIECE_S, piece * PIECE_EVENTS / max(1, len(events))))
            await sender.send(events)
            if target >= now:
                await clock.sleep(TICK_S)
    finally:
        sender.active_calls = len(fleet.live)
        await sender.close()
    return sender.sent
