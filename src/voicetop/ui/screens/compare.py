"""Compares two times: the marked time with the viewed one, or before and after a deploy."""

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
"""Lines below the table: a blank one, and the selected figure in full."""
COPIED_WIDTH = 120


class MarkedTime(NamedTuple):
    """The marked time A, and its feed."""

    sample: WindowSample
    feed: str


class ComparePage(RowKeys):
    """A table of all compared figures. `mark` is A; without it, before and after `marker` are compared."""

    name = "compare"
    ruled = False

    def __init__(self, host: Host, mark: MarkedTime | None = None, marker: MarkerNote | None = None) -> None:
        super().__init__(host)
        self.mark, self.marker = mark, marker
        self.comparison: Comparison | None = None
        self.rows: list[CompareEntry] = []
        self.first = 0
        self.feed = ""
        self._markers: tuple[MarkerNote, ...] = ()
        self._visible = 1

    def handlers(self) -> Handlers:
        own: Handlers = {
            **super().handlers(),
            "narrow": self._narrow,
            "left": partial(self._go_to_marker, -1),
            "right": partial(self._go_to_marker, 1),
        }
        if self.mark is None:  # before/after again moves to the marker before
            return {**own, "before_after": partial(self._go_to_marker, -1)}
        return {**own, "window": partial(self._say_window_is_fixed, self.mark)}

    # -- view and snapshot --------------------------------------------------------------------------------------

    def view(self, base: View) -> View:
        if self.mark is not None:
            sample = self.mark.sample
            return replace(base, against=sample, span=sample.span, limit=1)
        return replace(base, around=self.marker.at if self.marker else 0.0, limit=1)

    def see(self, snap: Snapshot) -> None:
        self._markers, self.feed = markers_until(snap), snap.deployment
        own_view = self.view(snap.view)
        if snap.view.against != own_view.against or snap.view.around != own_view.around:
            return
        selected = self._key(self.rows[self.place]) if self.rows else None
        self.comparison = snap.comparison
        self.rows = compare.entries(self.comparison) if self.comparison is not None else []
        keys = [self._key(row) for row in self.rows]
        self.place = (
            keys.index(selected) if selected in keys else self._nearest(min(self.place, len(keys) - 1), 1)
        )

    @staticmethod
    def _key(entry: CompareEntry) -> tuple[object, ...]:
        where = entry.segment.where if entry.segment else ()
        return (entry.title, entry.change.name if entry.change else "", where)

    # -- painting -----------------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, str]:
        """The names of the two windows."""
        if self.mark is None:
            label = self.marker.label if self.marker else ""
            return f"before {label}".rstrip(), "after"
        other = self.mark.feed if self.mark.feed != self.feed else ""
        return f"A {other}".rstrip(), f"B {self.feed}" if other else "B"

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        comparison = self.comparison
        if comparison is None:
            return block(self._no_comparison(scene, snap, width), height, width)
        lines = [*compare.head(comparison, self.names, scene.options, width), compare.heading(width)]
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

    def _no_comparison(self, scene: Scene, snap: Snapshot, width: int) -> list[Line]:
        own_view = self.view(snap.view)
        if snap.view.against != own_view.against or snap.view.around != own_view.around:
            return [BLANK, Row(3).add("comparing …", "muted").line()]
        clock = scene.options.clock
        marker = self.marker
        if marker is None:
            return [BLANK, Row(3).add("nothing to compare here yet", "muted").line()]
        reason = f"{marker.kind} {marker.label} at {clock(marker.at)}: too little data before or after it"
        why = "whole minutes are compared: at least one complete minute on each side is needed"
        lines = [Row(3).add(text, "strong").line() for text in wrapped(reason, width - 4)]
        return [BLANK, *lines, *(Row(3).add(text, "muted").line() for text in wrapped(why, width - 4))]

    def plain(self, scene: Scene, snap: Snapshot, width: int) -> list[Line]:
        """The whole table."""
        if self.comparison is None:
            return super().plain(scene, snap, width)
        return compare.table(self.comparison, self.names, scene.options, max(width, COPIED_WIDTH))

    def row_text(self, scene: Scene) -> str:  # noqa: ARG002 - as pages have it
        if not self.rows:
            return ""
        lines = compare.why_lines(self.rows[self.place], COPIED_WIDTH)
        return " · ".join(" ".join("".join(text for text, _ in line).split()) for line in lines)

    # -- moving -------------------------------------------------------------------------------------------------

    def _nearest(self, place: int, step: int) -> int:
        """The nearest row with a figure in the direction of `step`, else in the other."""
        ways = (range(place, len(self.rows)), range(min(place, len(self.rows) - 1), -1, -1))
        for way in ways if step > 0 else ways[::-1]:
            figure_at = next(
                (index for index in way if index >= 0 and self.rows[index].change is not None), None
            )
            if figure_at is not None:
                return figure_at
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

    # -- actions ------------------------------------------------------------------------------------------------

    def _narrow(self) -> None:
        """Narrow every screen to the selected segment."""
        segment = self.rows[self.place].segment if self.rows else None
        if segment is None:
            self.host.say("Enter filters to a segment that changed; this row is all calls")
            return
        for name, value in segment.where:
            self.host.scope.narrow(name, value)
        self.host.changed()

    def _go_to_marker(self, steps: int) -> None:
        """Move to the previous or next marker."""
        if self.mark is not None or self.marker not in self._markers:
            self.host.say("← and → move from deploy to deploy; d compares before and after the last one")
            return
        index = self._markers.index(self.marker) + steps
        if not 0 <= index < len(self._markers):
            self.host.say("no earlier marker" if steps < 0 else "this is the last marker before now")
            return
        self.marker, self.comparison, self.rows, self.place = self._markers[index], None, [], 0
        self.host.changed()

    def _say_window_is_fixed(self, mark: MarkedTime) -> None:
        self.host.say(f"A was marked with a window of {SPANS[mark.sample.span]}: mark again for another")


def markers_until(snap: Snapshot) -> tuple[MarkerNote, ...]:
    """The markers before the time on the screen, oldest first."""
    return tuple(sorted((m for m in snap.markers if m.at <= snap.at), key=lambda marker: marker.at))
