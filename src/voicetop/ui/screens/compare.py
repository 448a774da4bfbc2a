"""Two moments compared: the one that was marked with where one stands, or the time before a deploy with that after."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from voicetop.engine.snapshot import MarkerNote, Snapshot, View
from voicetop.engine.snapshot.comparison import Comparison, WindowSample
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.lines import BLANK, Line, Row, block
from voicetop.ui.renderables import compare
from voicetop.ui.renderables.compare import CompareEntry
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.renderables.wrapping import wrapped
from voicetop.ui.screens.page import HEAD, Host
from voicetop.ui.screens.row_keys import RowKeys
from voicetop.ui.style.display_options import SPANS

WHY = 4
"""Lines below the table: the figure with the cursor in full, after a blank one."""
COPIED_WIDTH = 120


class MarkedTime(NamedTuple):
    """The moment A, and the feed that it was seen on."""

    moment: WindowSample
    feed: str


class ComparePage(RowKeys):
    """A table of every panel. `mark` is A; without one it compares before and after `marker`."""

    name = "compare"
    ruled = False

    def __init__(self, host: Host, mark: MarkedTime | None = None, marker: MarkerNote | None = None) -> None:
        super().__init__(host)
        self.mark, self.marker = mark, marker
        self.found: Comparison | None = None
        self.rows: list[CompareEntry] = []
        self.first = 0
        self.feed = ""
        self._markers: tuple[MarkerNote, ...] = ()
        self._visible = 1

    def handlers(self) -> Handlers:
        own: Handlers = {
            **super().handlers(),
            "narrow": self._narrow,
            "left": partial(self._walk, -1),
            "right": partial(self._walk, 1),
        }
        if self.mark is None:  # a comparison around a marker goes on to the marker before
            return {**own, "before_after": partial(self._walk, -1)}
        return {**own, "window": partial(self._say_window_is_fixed, self.mark)}

    # -- what it asks for and what it gets ----------------------------------------------------------------------

    def view(self, base: View) -> View:
        if self.mark is not None:
            moment = self.mark.moment
            return replace(base, against=moment, span=moment.span, limit=1)
        return replace(base, around=self.marker.at if self.marker else 0.0, limit=1)

    def see(self, snap: Snapshot) -> None:
        self._markers, self.feed = markers_until(snap), snap.deployment
        asked = self.view(snap.view)
        if snap.view.against != asked.against or snap.view.around != asked.around:
            return
        chosen = self._key(self.rows[self.place]) if self.rows else None
        self.found = snap.comparison
        self.rows = compare.entries(self.found) if self.found is not None else []
        keys = [self._key(row) for row in self.rows]
        self.place = (
            keys.index(chosen) if chosen in keys else self._nearest(min(self.place, len(keys) - 1), 1)
        )

    @staticmethod
    def _key(entry: CompareEntry) -> tuple[object, ...]:
        where = entry.segment.where if entry.segment else ()
        return (entry.title, entry.change.name if entry.change else "", where)

    # -- painting -----------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, str]:
        """What the two windows are called."""
        if self.mark is None:
            label = self.marker.label if self.marker else ""
            return f"before {label}".rstrip(), "after"
        other = self.mark.feed if self.mark.feed != self.feed else ""
        return f"A {other}".rstrip(), f"B {self.feed}" if other else "B"

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        found = self.found
        if found is None:
            return block(self._nothing(scene, snap, width), height, width)
        lines = [*compare.head(found, self.names, scene.look, width), compare.heading(width)]
        why = WHY if height > len(lines) + WHY + 4 else 0
        self._visible = max(1, height - len(lines) - why)
        self._keep_in_sight()
        shown = self.rows[self.first : self.first + self._visible]
        for index, entry in enumerate(shown, self.first):
            lines.append(compare.line_of(entry, width, chosen=index == self.place))
        if why and self.rows:
            lines += [BLANK] * (height - why - len(lines))
            lines += [BLANK, *compare.why_lines(self.rows[self.place], width)]
        return block(lines, height, width)

    def _nothing(self, scene: Scene, snap: Snapshot, width: int) -> list[Line]:
        asked = self.view(snap.view)
        if snap.view.against != asked.against or snap.view.around != asked.around:
            return [BLANK, Row(3).add("comparing …", "muted").line()]
        clock = scene.look.clock
        marker = self.marker
        if marker is None:
            return [BLANK, Row(3).add("nothing to compare here yet", "muted").line()]
        said = f"{marker.kind} {marker.label} at {clock(marker.at)}: too little data before or after it"
        why = "whole minutes are compared: at least one complete minute on each side is needed"
        told = [Row(3).add(text, "strong").line() for text in wrapped(said, width - 4)]
        return [BLANK, *told, *(Row(3).add(text, "muted").line() for text in wrapped(why, width - 4))]

    def plain(self, scene: Scene, snap: Snapshot, width: int) -> list[Line]:
        """All of the table, also what is out of sight."""
        if self.found is None:
            return super().plain(scene, snap, width)
        return compare.table(self.found, self.names, scene.look, max(width, COPIED_WIDTH))

    def row_text(self, scene: Scene) -> str:  # noqa: ARG002 - as pages have it
        if not self.rows:
            return ""
        lines = compare.why_lines(self.rows[self.place], COPIED_WIDTH)
        return " · ".join(" ".join("".join(text for text, _ in line).split()) for line in lines)

    # -- moving -------------------------------------------------------------------------------------------------

    def _nearest(self, place: int, step: int) -> int:
        """A place with a figure, looked for in the direction of `step`, else in the other."""
        ways = (range(place, len(self.rows)), range(min(place, len(self.rows) - 1), -1, -1))
        for way in ways if step > 0 else ways[::-1]:
            found = next((index for index in way if index >= 0 and self.rows[index].change is not None), None)
            if found is not None:
                return found
        return 0

    def _keep_in_sight(self) -> None:
        top = self.place - 1 if self.place and self.rows[self.place - 1].change is None else self.place
        self.first = min(max(self.first, self.place - self._visible + 1), top)
        self.first = max(0, min(self.first, len(self.rows) - self._visible))

    @property
    def row_count(self) -> int:
        return len(self.rows)

    @property
    def page_rows(self) -> int:
        return self._visible

    def _move(self, steps: int) -> None:
        if self.rows:
            place = max(0, min(self.place + steps, len(self.rows) - 1))
            self.place = self._nearest(place, 1 if steps > 0 else -1)
        self.host.changed()

    def click(self, y: int) -> None:
        heads = self.height - self._visible - (WHY if self.height - self._visible > WHY + 2 else 0)
        index = self.first + y - HEAD - heads
        if y >= HEAD + heads and index < len(self.rows):
            self._move(index - self.place)

    # -- what is compared ---------------------------------------------------------------------------------------

    def _narrow(self) -> None:
        """Every screen for the segment with the cursor only."""
        segment = self.rows[self.place].segment if self.rows else None
        if segment is None:
            self.host.say("Enter filters to a segment that changed; this row is all calls")
            return
        for name, value in segment.where:
            self.host.scope.narrow(name, value)
        self.host.changed()

    def _walk(self, steps: int) -> None:
        """The marker before this one, or behind it."""
        if self.mark is not None or self.marker not in self._markers:
            self.host.say("← and → move from deploy to deploy; d compares before and after the last one")
            return
        index = self._markers.index(self.marker) + steps
        if not 0 <= index < len(self._markers):
            self.host.say("no earlier marker" if steps < 0 else "this is the last marker before now")
            return
        self.marker, self.found, self.rows, self.place = self._markers[index], None, [], 0
        self.host.changed()

    def _say_window_is_fixed(self, mark: MarkedTime) -> None:
        self.host.say(f"A was marked with a window of {SPANS[mark.moment.span]}: mark again for another")


def markers_until(snap: Snapshot) -> tuple[MarkerNote, ...]:
    """The changes in the world before the moment on the screen, the oldest first."""
    return tuple(sorted((m for m in snap.markers if m.at <= snap.at), key=lambda marker: marker.at))
