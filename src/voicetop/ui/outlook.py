"""Where the person stands: the window, what all screens are narrowed to, and whether the picture is frozen.

The console asks the feed with what this says; pages only add what they show. A frozen picture is held while the feed
goes on, so that nothing is lost by looking twice.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec.structs import replace

from voicetop.engine.snapshot import Snapshot, Span, Trouble, View, Where
from voicetop.ui.look import Look

ORDER: tuple[Span, ...] = ("5m", "30m", "24h")
KEPT_ROWS = 500
"""Calls that a frozen picture holds: the screens can be walked through without asking the feed again."""

Answer: TypeAlias = tuple[Where, str]


def narrowed(where: Where, name: str, value: str) -> Where:
    """Within `where` those of one value more; a dimension has one value at a time."""
    return (*(part for part in where if part[0] != name), (name, value))


def blamed(snap: Snapshot) -> Trouble | None:
    """The worst trouble that is somebody's and not everybody's."""
    return next((trouble for trouble in snap.verdict.troubles if trouble.where), None)


class Outlook:
    """Window, narrowing and freeze of one console."""

    def __init__(self) -> None:
        self.span: Span = "5m"
        self.where: Where = ()
        self.held: Snapshot | None = None

    def base(self) -> View:
        """What every page's view begins with."""
        return View(span=self.span, where=self.where)

    def next_window(self) -> None:
        self.span = ORDER[(ORDER.index(self.span) + 1) % len(ORDER)]

    # -- narrowing ----------------------------------------------------------------------------------------------

    def narrow(self, name: str, value: str) -> None:
        """Show every screen for one value only."""
        self.where = narrowed(self.where, name, value)

    def widen(self) -> str:
        """Take the last narrowing back; gives what to tell where there is none."""
        if not self.where:
            return "this is everybody already: Enter on a row of Segments narrows, b goes to what is to blame"
        self.where = self.where[:-1]
        return ""

    def blame(self, snap: Snapshot | None) -> str:
        """Narrow to what the verdict blames at once; gives what to tell where it blames nobody."""
        trouble = blamed(snap) if snap is not None else None
        if trouble is None:
            troubles = snap.verdict.troubles if snap is not None else ()
            return (
                "no segment explains it: it is everybody's"
                if troubles
                else "nothing is wrong that could be blamed"
            )
        if self.where == trouble.where:
            return "this is what the verdict blames: Backspace widens"
        self.where = trouble.where
        return ""

    # -- freezing -----------------------------------------------------------------------------------------------

    def freeze(self, snap: Snapshot) -> None:
        """Hold this picture until `thaw`."""
        self.held = snap

    def keep_whole(self, snap: Snapshot) -> None:
        """A fuller picture of the frozen moment came: hold that one."""
        if self.held is not None and 0 <= snap.at - self.held.at < 1.5:
            self.held = snap

    def thaw(self) -> None:
        self.held = None

    def whole(self, view: View, snap: Snapshot) -> View:
        """A view that has what the other screens would ask for, too."""
        dimension = view.dimension or next(iter(snap.dimensions), "")
        return replace(view, trends=True, dimension=dimension, offset=0, limit=max(view.limit, KEPT_ROWS))

    def refused(self, view: View, look: Look) -> str:
        """Why a frozen picture can't show that view; empty where it can."""
        if self.held is None:
            return ""
        mine = self.held.view
        same = ("span", "where", "sort", "reverse", "text", "ended")
        other_call = view.call_id not in ("", mine.call_id)
        other_dimension = view.dimension not in ("", mine.dimension)
        if other_call or other_dimension or any(getattr(view, name) != getattr(mine, name) for name in same):
            return f"the picture of {look.clock(self.held.at)} doesn't hold that: space or L is live again"
        return ""
