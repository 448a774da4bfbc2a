"""What there is to paint: the picture, how the link is, and how the person wants to see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from voicetop.engine.snapshot import Snapshot, View
from voicetop.engine.snapshot.timeline import Timeline
from voicetop.formatting.numbers import known
from voicetop.sources import LinkState
from voicetop.ui.feed import PlaybackPosition
from voicetop.ui.style.display_options import DisplayOptions

Kind: TypeAlias = Literal["past", "held", "replay"]
Hint: TypeAlias = tuple[str, str]
"""A key as people write it, and what it does here in a word or two."""


@dataclass(frozen=True, slots=True)
class When:
    """Where in time a scene is that doesn't show what is now.

    `kind` "past" is the past of a live feed, "held" a picture of it that nothing more is kept of, "replay" a recording
    called `name`. `live` is the scene of what is now, where there is one.
    """

    kind: Kind
    position: PlaybackPosition = field(default_factory=PlaybackPosition)
    timeline: Timeline = field(default_factory=Timeline)
    name: str = ""
    live: Scene | None = None
    hints: tuple[Hint, ...] = ()

    @property
    def seeking(self) -> bool:
        """Whether it is on its way to another moment."""
        return known(self.position.seeking)


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment of the console. `snap` is None before the first picture; `view` is what was asked for last.

    `slowness` says at which rate a slow terminal is painted; empty at the usual one. `when` is None where the picture
    is what is now.
    """

    snap: Snapshot | None = None
    link: LinkState = field(default_factory=LinkState)
    options: DisplayOptions = field(default_factory=DisplayOptions)
    view: View = field(default_factory=View)
    error: str = ""
    slowness: str = ""
    when: When | None = None

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
