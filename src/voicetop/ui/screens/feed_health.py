"""Feed health: every source of the feed, the worst first, and what to do about each."""

from __future__ import annotations

from msgspec.structs import replace

from voicetop.engine.snapshot import FeedHealthPanel, Snapshot, SourceHealth, View
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.lines import BLANK, Line, block, text_of
from voicetop.ui.renderables import feed_health
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.page import HEAD
from voicetop.ui.screens.row_keys import RowKeys

COPIED_WIDTH = 200
TITLES = 2
"""Lines above the first row."""
LEAST_REMEDIES = 4


class FeedHealthPage(RowKeys):
    """The sources of the feed. Enter shows everything about one."""

    name = "feed"
    ruled = False
    source = ""
    """The name of the selected source; the first one before the cursor was moved."""
    first = 0
    alone = False
    moved = False
    panel = FeedHealthPanel()

    def handlers(self) -> Handlers:
        return {**super().handlers(), "source": self._toggle, "back": self._back}

    def view(self, base: View) -> View:
        return replace(base, health=True, limit=1)

    def see(self, snap: Snapshot) -> None:
        if snap.health is None:
            return
        self.panel = snap.health
        names = [source.name for source in self.panel.sources]
        if self.moved and self.source in names:
            self.place = names.index(self.source)
        self.place = max(0, min(self.place, len(names) - 1))

    @property
    def chosen(self) -> SourceHealth | None:
        return self.panel.sources[self.place] if self.panel.sources else None

    @property
    def engaged(self) -> bool:
        return self.alone

    # -- painting -----------------------------------------------------------------------------------------------

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        lines = [feed_health.head(self.panel, width)]
        here = self.chosen
        if snap.health is None or here is None:
            return block([*lines, *(feed_health.nothing(width) if snap.health else ())], height, width)
        if self.alone:
            shown: tuple[SourceHealth, ...] = (here,)
            below = feed_health.all_remedies(here, scene.options, width, height - TITLES - 2)
        else:
            below = feed_health.remedies(here, scene.options, width, self._room_below(height))
            shown = self._visible(height - TITLES - len(below) - 1)
        lines.append(feed_health.heading(width))
        lines += [
            feed_health.source_line(source, snap.at, scene.options, width, chosen=source is here)
            for source in shown
        ]
        return block([*lines, BLANK, *below], height, width)

    def _room_below(self, height: int) -> int:
        """Most lines for the remedies: what the rows leave, and at least half of the page."""
        return max(LEAST_REMEDIES, height // 2, height - TITLES - 1 - len(self.panel.sources))

    def _visible(self, rows: int) -> tuple[SourceHealth, ...]:
        rows = max(1, rows)
        self.first = min(max(self.first, self.place - rows + 1), self.place)
        self.first = max(0, min(self.first, len(self.panel.sources) - rows))
        return self.panel.sources[self.first : self.first + rows]

    def row_text(self, scene: Scene) -> str:
        here = self.chosen
        if here is None:
            return ""
        lines = feed_health.remedies(here, scene.options, COPIED_WIDTH, 100)
        return " · ".join(" ".join(text_of(line).split()) for line in lines)

    # -- moving -------------------------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        return len(self.panel.sources)

    def _moved(self) -> None:
        here = self.chosen
        self.moved, self.source = True, here.name if here else ""

    def click(self, y: int) -> None:
        row = y - HEAD - TITLES
        if not self.alone and 0 <= row < len(self.panel.sources) - self.first:
            self._move(self.first + row - self.place)

    def _toggle(self) -> None:
        self.alone = not self.alone and self.chosen is not None
        self.host.changed()

    def _back(self) -> None:
        self.alone, self.moved, self.place, self.first = False, False, 0, 0
        self.host.changed()
