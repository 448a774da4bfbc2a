"""The input of all renderables: snapshot, link state, display options and viewed time."""

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
"""A key and what it does here, in a word or two."""


@dataclass(frozen=True, slots=True)
class When:
    """The viewed time of a scene that isn't live.

    `kind` is "past" for the past of a live feed, "held" for a frozen snapshot without history, "replay" for a recording
    called `name`. `live` is the live scene, if any.
    """

    kind: Kind
    position: PlaybackPosition = field(default_factory=PlaybackPosition)
    timeline: Timeline = field(default_factory=Timeline)
    name: str = ""
    live: Scene | None = None
    hints: tuple[Hint, ...] = ()

    @property
    def seeking(self) -> bool:
        """Whether a seek is in progress."""
        return known(self.position.seeking)


@dataclass(frozen=True, slots=True)
class Scene:
    """What the console shows. `snap` is None before the first snapshot; `view` is the requested view.

    `slowness` is the reduced frame rate of a slow terminal, or "". `when` is None if the scene is live.
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
        """Whether the state of the agents is unknown: the feed is silent, or the link is down."""
        if self.snap is None or self.link.phase == "ended":
            return False
        return (
            self.snap.verdict.severity == "blind"
            or self.link.phase in ("reconnecting", "refused")
            or bool(self.error)
        )
