"""What there is to paint: the picture, how the link is, and how the person wants to see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicetop.engine.snapshot import Snapshot, View
from voicetop.sources import LinkState
from voicetop.ui.look import Look


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment of the console. `snap` is None before the first picture; `view` is what was asked for last.

    `slowness` says at which rate a slow terminal is painted; empty at the usual one. `live` is the newest picture while
    `snap` is a frozen one.
    """

    snap: Snapshot | None = None
    link: LinkState = field(default_factory=LinkState)
    look: Look = field(default_factory=Look)
    view: View = field(default_factory=View)
    error: str = ""
    slowness: str = ""
    live: Snapshot | None = None

    @property
    def blind(self) -> bool:
        """Nobody can tell how the agents are doing: the feed is silent, or the link is down."""
        if self.snap is None or self.link.phase == "ended":
            return False
        return (
            self.snap.verdict.severity == "blind"
            or self.link.phase in ("reconnecting", "refused")
            or bool(self.error)
        )
