"""The scope of all screens: the time window, and the segment they are narrowed to.

Every view requested from a feed starts from it; pages only add what they show.
"""

from __future__ import annotations

from voicetop.engine.snapshot import Snapshot, Span, Trouble, View, Where

ORDER: tuple[Span, ...] = ("5m", "30m", "24h")


def narrowed(where: Where, name: str, value: str) -> Where:
    """`where` narrowed to one more value; each dimension has one value at a time."""
    return (*(part for part in where if part[0] != name), (name, value))


def blamed(snap: Snapshot) -> Trouble | None:
    """The worst trouble that is limited to a segment; of those that are over, if none is left."""
    known_troubles = (*snap.verdict.troubles, *snap.verdict.recovering)
    return next((trouble for trouble in known_troubles if trouble.where), None)


class Scope:
    """Window and segment of one console; `marking` while a mark waits for the next snapshot."""

    def __init__(self) -> None:
        self.span: Span = "5m"
        self.where: Where = ()
        self.marking = False

    def base(self) -> View:
        """The base of every page's view."""
        return View(span=self.span, where=self.where, moment=self.marking)

    def next_window(self) -> None:
        self.span = ORDER[(ORDER.index(self.span) + 1) % len(ORDER)]

    # -- narrowing ----------------------------------------------------------------------------------------------

    def narrow(self, name: str, value: str) -> None:
        """Show every screen for one value only."""
        self.where = narrowed(self.where, name, value)

    def widen(self) -> str:
        """Undo the last narrowing; returns a message if there is none."""
        if not self.where:
            return "all calls are shown already: Enter on a row of Segments filters, b goes to the affected segment"
        self.where = self.where[:-1]
        return ""

    def blame(self, snap: Snapshot | None) -> str:
        """Narrow to the segment the verdict blames; returns a message if there is none."""
        trouble = blamed(snap) if snap is not None else None
        if trouble is None:
            wrong = snap is not None and (snap.verdict.troubles or snap.verdict.recovering)
            return "no segment explains it: all segments are affected" if wrong else "nothing is wrong now"
        if self.where == trouble.where:
            return "already filtered to the affected segment: Backspace widens"
        self.where = trouble.where
        return ""
