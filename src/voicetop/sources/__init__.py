"""Where stamped frames come from: a hub over a socket, a recording."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from msgspec import Struct

from voicetop.wire.events import NAN

if TYPE_CHECKING:
    from voicetop.wire.events import Operator


class LinkState(Struct, frozen=True):
    """The state of the source's connection. `retry_at` is the clock time (epoch s) of the next try."""

    phase: Literal["connecting", "live", "reconnecting", "refused", "ended"] = "connecting"
    tries: int = 0
    retry_at: float = 0.0
    why: str = ""
    where: str = ""


class Act(Struct, frozen=True):
    """What an operator does at a console, before it becomes an event; `act` is one of the protocol's (`Operator.act`).

    `at` is the time it is about (NaN: now), `until` when it ends (NaN: never), both epoch s.
    """

    act: str
    target: str = ""
    text: str = ""
    until: float = NAN
    at: float = NAN
    call_id: str = ""


class Source(Protocol):
    """Yields wire frames (`wire/frames.py`: welcome or batch), in folding order."""

    @property
    def link(self) -> LinkState: ...

    def frames(self) -> AsyncIterator[bytes]: ...


@runtime_checkable
class Acting(Protocol):
    """A source that also accepts operators' acts and gets them into the feed."""

    @property
    def refusal(self) -> str:
        """Why nothing can be sent now, in a line for a person; empty if it can."""

    async def act(self, act: Operator) -> None:
        """Send it. Raises FeedError if that is impossible."""
