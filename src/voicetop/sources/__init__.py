"""Where stamped frames come from: a hub over a socket, a recording. A source is what an `Ingest` runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from msgspec import Struct


class LinkState(Struct, frozen=True):
    """How the source's connection is doing, for the screen. `retry_at` is clock time (epoch s) of the next try."""

    phase: Literal["connecting", "live", "reconnecting", "refused", "ended"] = "connecting"
    tries: int = 0
    retry_at: float = 0.0
    why: str = ""
    where: str = ""


class Source(Protocol):
    """Yields wire frames (`wire/frames.py`: welcome or batch), in the order in which they are to be folded."""

    @property
    def link(self) -> LinkState: ...

    def frames(self) -> AsyncIterator[bytes]: ...
