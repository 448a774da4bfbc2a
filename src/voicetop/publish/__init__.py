"""What an agent's process imports to publish: it needs only websockets and msgspec, and never disturbs a call.

    from voicetop.publish import Publisher
    publisher = Publisher("ws://127.0.0.1:8377", source="agent-7")
    publisher.emit(event)                     any event of `voicetop.wire.events`; a microsecond, never an exception

`Publisher` has its own thread and suits any code; `AsyncPublisher` lives in the caller's event loop.
`publisher.call("call-1")` writes the events of one call for code without an adapter; `voicetop.publish.pipecat` is
the adapter for Pipecat.
"""

from __future__ import annotations

from voicetop.connection.address import DEFAULT_URL
from voicetop.publish.calls import PublishedCall
from voicetop.publish.link import LinkReport
from voicetop.publish.publisher import AsyncPublisher, Publisher

__all__ = ["DEFAULT_URL", "AsyncPublisher", "LinkReport", "PublishedCall", "Publisher"]
