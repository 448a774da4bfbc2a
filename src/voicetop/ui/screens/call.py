"""One call in full, over the list it was opened from, which provides the next and previous call."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Protocol

from msgspec.structs import replace

from voicetop.engine.snapshot import NAN, CallDetail, CallRow, Snapshot, View
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.lines import Line
from voicetop.ui.links import Hyperlink, links_of
from voicetop.ui.renderables.call import CallScreen, call_screen, scrolled, without_turns
from voicetop.ui.renderables.footer import keys_line
from voicetop.ui.renderables.plain_text import row_text
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.renderables.turns import TurnBlock
from voicetop.ui.screens.page import HEAD, Host, Page

FOOT_KEYS = (
    "back",
    "open",
    "next_call",
    "help",
    "quit",
    "previous_call",
    "copy",
    "copy_link",
    "freeze",
    "bookmark",
    "note",
    "blame",
)
"""Keys of the footer, most important first."""


class CallList(Protocol):
    """The screen that a call is opened from."""

    @property
    def page(self) -> Page:
        """The list's page."""

    def neighbour(self, steps: int) -> CallRow | None:
        """Move the list's cursor, and return the selected call."""


class CallPage(Page):
    """The turns of one call."""

    name = "call"
    ruled = False

    def __init__(self, host: Host, base: CallList, row: CallRow) -> None:
        super().__init__(host)
        self.base = base
        self._reset(row)

    def _reset(self, row: CallRow) -> None:
        self.row = row
        self.detail: CallDetail | None = None
        self.seen_at = NAN
        self.evicted = False
        self.unfolded: frozenset[int] = frozenset()
        self.key_at = ""
        """The block under the cursor; "" follows the newest turn."""
        self.first = 0
        self._layout = CallScreen([], [], [], 0)
        self._room = 1

    # -- view and snapshot --------------------------------------------------------------------------------------

    def view(self, base: View) -> View:
        return replace(self.base.page.view(base), call_id=self.row.call_id)

    def see(self, snap: Snapshot) -> None:
        if snap.view.call_id != self.row.call_id:
            return
        self.evicted = snap.detail is None
        if snap.detail is not None:
            self.detail, self.row, self.seen_at = snap.detail, snap.detail.row, snap.at

    @property
    def about(self) -> str:
        return self.row.call_id

    @property
    def links(self) -> list[Hyperlink]:
        return links_of(self._detail_or_row, self.host.link_templates)

    @property
    def _detail_or_row(self) -> CallDetail:
        """The call's detail; before it has arrived, the list's row."""
        return self.detail or CallDetail(row=self.row, started=NAN)

    # -- painting -----------------------------------------------------------------------------------------------

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:  # noqa: ARG002
        self._layout = self._lay_out(scene, width, height, self.unfolded)
        self._room = max(1, height - len(self._layout.head))
        self._keep_in_sight()
        return scrolled(self._layout, height, width, self.first, self.at)

    def _lay_out(self, scene: Scene, width: int, height: int, unfolded: frozenset[int]) -> CallScreen:
        if self.detail is None:
            return without_turns(self.row, scene.options, width, note=self._note(scene))
        return call_screen(
            self._detail_or_row,
            scene.options,
            width,
            height,
            unfolded=unfolded,
            links=self.links,
            note=self._note(scene),
        )

    def _note(self, scene: Scene) -> str:
        """Why the page isn't complete or current."""
        if self.evicted and scene.when is not None:
            return "not available at this moment: not started yet, or no longer kept; these are its last known values"
        if self.evicted and self.detail is not None:
            return f"no longer kept, to make room for newer calls; as of {scene.options.clock(self.seen_at)}"
        if self.evicted:
            return "no longer kept, to make room for newer calls; values from the list"
        if self.detail is not None:
            return ""
        return "loading its turns …"

    def foot(self, scene: Scene, width: int) -> Line:  # noqa: ARG002 - the same at all times
        return keys_line(self.name, FOOT_KEYS, width, self.host.keymap, {"open": "full turn"})

    def plain(self, scene: Scene, snap: Snapshot, width: int) -> list[Line]:  # noqa: ARG002
        """The whole call with all turns unfolded."""
        everything = frozenset(turn.index for turn in self._detail_or_row.turns)
        layout = self._lay_out(scene, min(width, 120), self.height, everything)
        return [
            *layout.head,
            *(line for part in layout.blocks if part.key != "legend" for line in part.lines),
        ]

    def row_text(self, scene: Scene) -> str:
        parts = [row_text(self.row, scene.options), *(link.url for link in self.links)]
        if self._detail_or_row.trace_id and not self.links:
            parts.append(f"trace {self._detail_or_row.trace_id}")
        return " · ".join(parts)

    # -- moving -------------------------------------------------------------------------------------------------

    @property
    def blocks(self) -> Sequence[TurnBlock]:
        return self._layout.blocks

    @property
    def at(self) -> int:
        """The index of the block under the cursor."""
        for index, part in enumerate(self.blocks):
            if self.key_at and part.key == self.key_at:
                return index
        return self._newest

    @property
    def _newest(self) -> int:
        """The index of the last turn; without turns, the first block."""
        return max((i for i, part in enumerate(self.blocks) if part.turn != -1), default=0)

    @property
    def _starts(self) -> list[int]:
        """The first line of each block, and the end of the last one."""
        return [0, *accumulate(len(part.lines) for part in self.blocks)]

    def _keep_in_sight(self) -> None:
        """Scroll as little as needed to show the block under the cursor, or a part of a tall one."""
        starts = self._starts
        if len(starts) < 2:
            return
        top, bottom = starts[self.at], starts[self.at + 1]
        low, high = sorted((bottom - self._room, top))
        self.first = min(max(self.first, low), high)
        self.first = max(0, min(self.first, starts[-1] - self._room))

    def _select(self, index: int) -> None:
        index = max(0, min(index, len(self.blocks) - 1))
        if self.blocks:
            self.key_at = "" if index == self._newest else self.blocks[index].key
        self._keep_in_sight()
        self.host.changed()

    def _scrolls_within(self, lines: int) -> bool:
        """Scroll within the block under the cursor if it extends beyond the screen; returns whether it did."""
        starts = self._starts
        if len(starts) < 2:
            return False
        more = starts[self.at + 1] - self.first - self._room if lines > 0 else self.first - starts[self.at]
        if more <= 0:
            return False
        self.first += min(lines, more) if lines > 0 else max(lines, -more)
        self.host.changed()
        return True

    def handlers(self) -> Handlers:
        return {
            **super().handlers(),
            "down": partial(self._move, 1),
            "up": partial(self._move, -1),
            "page_down": partial(self._page, self._room),
            "page_up": partial(self._page, -self._room),
            "first": partial(self._select, 0),
            "last": partial(self._select, len(self.blocks) - 1),
            "open": self._unfold,
            "next_call": partial(self._go, 1),
            "previous_call": partial(self._go, -1),
        }

    def _move(self, step: int) -> None:
        if not self._scrolls_within(3 * step):
            self._select(self.at + step)

    def _page(self, lines: int) -> None:
        if self._scrolls_within(lines):
            return
        starts = self._starts
        target = starts[self.at] + lines
        near = max((i for i, start in enumerate(starts[:-1]) if start <= target), default=0)
        step = 1 if lines > 0 else -1
        self._select(near if near != self.at else self.at + step)

    def click(self, y: int) -> None:
        line = y - HEAD - len(self._layout.head) + self.first
        for index, start in enumerate(self._starts[:-1]):
            if start <= line < self._starts[index + 1] and y >= HEAD + len(self._layout.head):
                if index == self.at:
                    self._unfold()
                else:
                    self._select(index)
                return

    def wheel(self, steps: int) -> None:
        self._select(self.at + steps)

    # -- actions ------------------------------------------------------------------------------------------------

    def _unfold(self) -> None:
        """Unfold the turn under the cursor, or fold it again."""
        turn = self.blocks[self.at].turn if self.blocks else -1
        if turn == -1:
            self.host.say("Enter opens a turn: k moves up to them")
            return
        self.unfolded = self.unfolded ^ {turn}
        self.host.changed()

    def _go(self, steps: int) -> None:
        row = self.base.neighbour(steps)
        if row is None or row.call_id == self.row.call_id:
            self.host.say(
                "this is the last call in the list" if steps > 0 else "this is the first call in the list"
            )
            return
        self._reset(row)
        self.host.changed()
