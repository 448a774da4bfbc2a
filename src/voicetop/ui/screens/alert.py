"""One incident in full: figures, times, and its runbook with links to live values."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from voicetop.alerts.runbooks import RunbookItem
from voicetop.engine.snapshot import IncidentRow, Snapshot, View
from voicetop.sources import Act
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.actions.responding import IncidentActions
from voicetop.ui.lines import BLANK, Line, Row, block, fit, rule
from voicetop.ui.links import Hyperlink
from voicetop.ui.renderables import alerts, runbook
from voicetop.ui.renderables.footer import keys_line
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.incident_keys import IncidentKeys
from voicetop.ui.screens.page import Host
from voicetop.ui.screens.row_keys import RowKeys

FOOT_KEYS = (
    *("back", "open_alert", "tick", "acknowledge", "silence", "help", "quit"),
    *("note", "resolve", "blame", "copy", "copy_link"),
)
STEP_KEYS = ("open_alert", "tick")
OPEN_KEYS, NOT_OPEN = ("acknowledge", "silence", "resolve"), ("resolved", "pending")
"""Keys that need runbook items, and keys that need an open incident."""
STEPS_A_PAGE = 3


class AlertPage(RowKeys, IncidentKeys):
    """The opened incident. Its last known state stays when the feed has dropped it."""

    name = "alert"
    ruled = False

    def __init__(self, host: Host, incidents: IncidentActions, row: IncidentRow) -> None:
        super().__init__(host, incidents)
        self.row = row
        self.first = 0

    def handlers(self) -> Handlers:
        return {**super().handlers(), "open_alert": self._follow_step, "tick": self._tick}

    def view(self, base: View) -> View:
        """Narrowed to the incident's segment, for the live values of its runbook."""
        return replace(base, where=self.row.where)

    def see(self, snap: Snapshot) -> None:
        super().see(snap)
        self.row = snap.alerts.find(self.row.id) or self.row

    @property
    def incident(self) -> IncidentRow | None:
        return self.row

    @property
    def steps(self) -> Sequence[RunbookItem]:
        return self.incidents.runbook(self.row.runbook, self.row.family).steps

    @property
    def links(self) -> Sequence[Hyperlink]:
        return [Hyperlink(f"{self.row.id} link {n}", url) for n, url in enumerate(self.row.links, 1)]

    # -- painting -----------------------------------------------------------------------------------------------

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        options, row = scene.options, self.row
        book = self.incidents.runbook(row.runbook, row.family)
        head = [rule(alerts.title(row), width), *alerts.facts(row, snap.at, options, width)]
        lines = [*head, BLANK, runbook.runbook_rule(book, row, width)]
        lines += runbook.reason(book, width)
        if book.intro:
            lines += [
                fit(Row(1).add(part, "muted").line(), width) for part in alerts.broken(book.intro, width - 2)
            ]
        start = end = 0
        for index, step in enumerate(book.steps):
            item_lines = runbook.step_lines(step, row, snap, options, width, chosen=index == self.place)
            if index == self.place:
                start, end = len(lines), len(lines) + len(item_lines)
            lines += item_lines
        return block(self._scrolled(lines, start, end, height), height, width)

    def _scrolled(self, lines: list[Line], start: int, end: int, height: int) -> list[Line]:
        """The lines from the scroll position that keeps the item under the cursor visible, and the head if possible."""
        first = 0 if self.place == 0 and end <= height else self.first
        first = min(max(first, end - height), start) if end else first
        self.first = max(0, min(first, len(lines) - height))
        return lines[self.first :]

    def foot(self, scene: Scene, width: int) -> Line:
        """The keys in effect: in the past only notes can be sent."""
        row, past = self.row, scene.when is not None
        labels = {"open_alert": "open panel"}
        labels |= {"acknowledge": "unacknowledge"} if row.acked_by else {}
        labels |= {"silence": "end silence"} if row.silence else {}
        disabled = {
            *(STEP_KEYS if not self.steps else ()),
            *(OPEN_KEYS if past or row.state in NOT_OPEN else ()),
        }
        disabled |= {"tick"} if past else set()
        return keys_line(
            self.name, [key for key in FOOT_KEYS if key not in disabled], width, self.host.keymap, labels
        )

    def row_text(self, scene: Scene) -> str:
        snap = scene.snap
        return alerts.incident_text(self.row, snap, scene.options) if snap is not None else ""

    # -- steps --------------------------------------------------------------------------------------------------

    @property
    def step(self) -> RunbookItem | None:
        """The item under the cursor."""
        steps = self.steps
        return steps[self.place] if self.place < len(steps) else None

    @property
    def row_count(self) -> int:
        return len(self.steps)

    @property
    def page_rows(self) -> int:
        return STEPS_A_PAGE

    def _follow_step(self) -> None:
        """Open the item's screen, narrowed to the incident's segment."""
        step = self.step
        if step is None:
            self.host.say(
                self.incidents.runbook(self.row.runbook, self.row.family).why or "this runbook has no items"
            )
        elif step.door is None:
            self.host.say("this item has no link: x marks it as done")
        else:
            self.incidents.enter(step.door, self.row.where)

    def _tick(self) -> None:
        """Mark the item as done, or as not done."""
        step, row = self.step, self._fired_row()
        if row is None:
            return
        if step is None:
            self.host.say("there is no item to mark")
            return
        done = any(number == step.number for number, _ in row.ticks)
        text = f"-{step.number}" if done else str(step.number)
        message = f"item {step.number} {'is not done' if done else 'is done'}"
        self.incidents.operate(Act("runbook_tick", row.id, text), message=message)
