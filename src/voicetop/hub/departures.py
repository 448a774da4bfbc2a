"""Notices publishers that leave: those that close their connection properly while no call of theirs is live.

A publisher may say so itself (`leaving` in its last `source.status`). For one that doesn't, in whatever language, the
hub says it. One that vanishes without a word has not left: it is missed.
"""

from __future__ import annotations

from collections import Counter

from websockets.frames import CloseCode

from voicetop.hub.access import Client
from voicetop.hub.feed import Feed
from voicetop.wire.events import SourceStatus
from voicetop.wire.text import safe_label

PROPER = frozenset({CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD})
"""Close codes of a client that ends on purpose; a close frame may have none."""
MOST_SOURCES = 1_000
"""Of one connection: a file that is published may have the events of a fleet."""


class Departures:
    """Knows which connection speaks for which sources: the last one of a source counts."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._connections: Counter[str] = Counter()

    def attach(self, client: Client, sources: set[str]) -> None:
        """`client` speaks for these sources, too: by the names that their calls have."""
        for source in set(map(safe_label, sources)) - client.sources - {""}:
            if len(client.sources) < MOST_SOURCES:
                client.sources.add(source)
                self._connections[source] += 1

    async def detach(self, client: Client) -> None:
        """The connection is closed: say which of its sources have left by that."""
        for source in client.sources:
            self._connections[source] -= 1
            if not self._connections[source]:
                del self._connections[source]
        gone = client.sources.difference(self._connections)
        if gone and closed_properly(client):
            for source in await self._feed.without_calls(gone):
                if source not in self._connections:  # it isn't back meanwhile
                    self._feed.emit(self._goodbye(source))

    def _goodbye(self, source: str) -> SourceStatus:
        dropped = self._feed.validator.dropped_by.get(source, 0)
        return SourceStatus(ts=self._feed.stamper.now(), source=source, dropped=dropped, leaving=True)


def closed_properly(client: Client) -> bool:
    """Whether the client began the closing handshake, with a code that says it ends on purpose."""
    protocol = client.protocol
    closed = protocol.close_rcvd
    return closed is not None and bool(protocol.close_rcvd_then_sent) and closed.code in PROPER
