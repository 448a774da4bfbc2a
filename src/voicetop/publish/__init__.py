"""What an agent's process imports to be seen: it costs websockets and msgspec, and never a call.

    from voicetop.publish import Publisher
    publisher = Publisher("ws://127.0.0.1:8377", source="agent-7")
    publisher.emit(event)                     any event of `voicetop.wire.events`; a microsecond, never an exception

`Publisher` has a thread of its own and suits every kind of code; `AsyncPublisher` lives in the caller's event loop.
`publisher.call("call-1")` writes the events of one call for code that has no adapter; `voicetop.publish.pipecat` is
the adapter for Pipecat.
"""

from __future__ import annotations

from voicetop.connection.address import DEFAULT_URL
from voicetop.publish.calls import PublishedCall
from voicetop.publish.link import LinkReport
from voicetop.publish.publisher import AsyncPublisher, Publisher

__all__ = ["DEFAULT_URL", "AsyncPublisher", "LinkReport", "PublishedCall", "Publisher"]
