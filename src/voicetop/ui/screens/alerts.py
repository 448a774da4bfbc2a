"""Screen 4: active, silenced and resolved incidents. Enter opens one with its runbook."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from voicetop.engine.snapshot import AlertsPanel, IncidentRow, SilenceRow, Snapshot, View
from voicetop.ui.actions.registry import Handlers, written
from voicetop.ui.actions.responding import IncidentActions
from voicetop.ui.lines import BLANK, Line, block, cells, fit, rule
from voicetop.ui.renderables import alerts
from voicetop.ui.renderables.runbook import brief, reason, runbook_rule, step_lines
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.alert import AlertPage
from voicetop.ui.screens.incident_keys import IncidentKeys
from voicetop.ui.screens.page import HEAD, Host
from voicetop.ui.screens.row_keys import RowKeys

TITLES = 2
"""Lines above the first row: the tabs and the column titles."""
LEAST_ROWS, MOST_ROWS = 5, 14
TITLE_FRAME = 10
"""Cells of dashes and spaces around a title with a note."""
LEAST_BELOW = 6
"""Minimum number of lines for the details of the selected row."""


class AlertsPage(RowKeys, IncidentKeys):
    """The list of incidents, in tabs."""

    name = "alerts"
    ruled = False

    def __init__(self, host: Host, incidents: IncidentActions) -> None:
        super().__init__(host, incidents)
        self.tab = alerts.TABS[0]
        self.panel = AlertsPanel()
        self.selected_id = ""
        self.first = 0

    def handlers(self) -> Handlers:
        return {
            **super().handlers(),
            "left": partial(self._turn, -1),
            "right": partial(self._turn, 1),
            "open_alert": self._open_alert,
            "back": self._back,
        }

    def view(self, base: View) -> View:
        return replace(base, limit=1)

    def see(self, snap: Snapshot) -> None:
        super().see(snap)
        self.panel = snap.alerts
        self._follow()

    @property
    def ids(self) -> list[str]:
        """The ids of the rows, silences among them."""
        if self.tab == "silences":
            return [silence.id for silence in self.panel.silences]
        return [_key(row) for row in self.rows]

    @property
    def rows(self) -> list[IncidentRow]:
        """The incidents of the tab. The selected one stays until the cursor moves, even if it now belongs elsewhere,
        so that no key hits an incident that slipped under the cursor.
        """
        rows = alerts.rows_of(self.panel, self.tab)
        if self.selected_id and all(_key(row) != self.selected_id for row in rows):
            rows[self.place : self.place] = [
                row for row in self.panel.incidents if _key(row) == self.selected_id
            ]
        return rows

    @property
    def incident(self) -> IncidentRow | None:
        """The selected incident; the first one before the cursor was moved."""
        rows = self.rows
        return rows[self.place] if self.place < len(rows) else None

    @property
    def silence(self) -> SilenceRow | None:
        silences = self.panel.silences if self.tab == "silences" else ()
        return silences[self.place] if self.place < len(silences) else None

    def _fired_row(self) -> IncidentRow | None:
        row = super()._fired_row()
        if row is not None:
            self.selected_id = _key(row)
        return row

    def _follow(self) -> None:
        """Keep the cursor on its incident."""
        ids = self.ids
        if self.selected_id in ids:
            self.place = ids.index(self.selected_id)
        self.place = max(0, min(self.place, len(ids) - 1))

    # -- painting -----------------------------------------------------------------------------------------------

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        self.panel = snap.alerts
        self._follow()
        lines = [alerts.tab_line(self.panel, self.tab, width)]
        if not self.ids:
            return block([*lines, *alerts.empty_lines(self.panel, self.tab, snap.at, width)], height, width)
        rows = self._visible_rows(height)
        self.first = max(0, min(max(self.first, self.place - rows + 1), self.place, len(self.ids) - rows))
        lines += [alerts.heading(self.tab, width), *self._list(scene, snap.at, width, rows)]
        selected_row = self.incident
        if selected_row is not None and height - len(lines) >= LEAST_BELOW:
            lines += self._below(selected_row, scene, snap, width, height - len(lines))
        return block(lines, height, width)

    def _visible_rows(self, height: int) -> int:
        room = height - TITLES
        many = len(self.ids)
        if self.tab == "silences" or room - LEAST_ROWS < LEAST_BELOW:
            return min(many, max(1, room))
        return min(many, MOST_ROWS, max(LEAST_ROWS, room // 2))

    def _list(self, scene: Scene, now: float, width: int, rows: int) -> list[Line]:
        shown = range(self.first, min(self.first + rows, len(self.ids)))
        if self.tab == "silences":
            silences = self.panel.silences
            return [
                alerts.silence_line(silences[i], now, scene.options, width, chosen=i == self.place)
                for i in shown
            ]
        made = self.rows
        return [
            alerts.incident_line(made[i], now, scene.options, width, chosen=i == self.place) for i in shown
        ]

    def _below(self, row: IncidentRow, scene: Scene, snap: Snapshot, width: int, room: int) -> list[Line]:
        """Facts and runbook of the selected incident, abridged if there is no room."""
        book = self.incidents.runbook(row.runbook, row.family)
        steps = [runbook_rule(book, row, width), *brief(book, row, width)]
        whole = [runbook_rule(book, row, width), *reason(book, width)]
        for step in book.steps:
            whole += step_lines(step, row, snap, scene.options, width, chosen=False)
        head = [BLANK, self._title(row, width, past=scene.when is not None)]
        facts = alerts.facts(row, snap.at, scene.options, width)
        if book.steps and len(head) + len(facts) + len(whole) <= room:
            return [fit(line, width) for line in (*head, *facts, *whole)]
        left = room - len(head) - len(steps)
        if left < min(4, len(facts)):
            return [*head, *facts[: room - len(head)]]
        return [fit(line, width) for line in (*head, *facts[:left], *steps)]

    def _title(self, row: IncidentRow, width: int, *, past: bool) -> Line:
        """The incident's title and its keys; without the rule's name if there is no room for both."""
        keys, whole = self._keys(row, past=past), alerts.title(row)
        room = width - cells(keys) - TITLE_FRAME
        return rule(whole if cells(whole) <= room else alerts.title(row, rule=False), width, keys)

    def _keys(self, row: IncidentRow, *, past: bool) -> str:
        """The keys in effect, which a narrow footer has no room for. In the past nothing can be sent."""
        labels = [
            ("open_alert", "open"),
            ("acknowledge", "unacknowledge" if row.acked_by else "acknowledge"),
            ("silence", "end silence" if row.silence else "silence"),
        ]
        if past or row.state in ("resolved", "pending"):
            del labels[1:]
        keys = self.host.keymap.keys
        return " · ".join(f"{written(keys(name), 1)} {word}" for name, word in labels if keys(name))

    def row_text(self, scene: Scene) -> str:
        selected_row = self.incident
        snap = scene.snap
        return (
            alerts.incident_text(selected_row, snap, scene.options)
            if selected_row is not None and snap is not None
            else ""
        )

    # -- moving -------------------------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        return len(self.ids)

    @property
    def page_rows(self) -> int:
        return self._visible_rows(self.height)

    def _move(self, steps: int) -> None:
        ids = self.ids  # before the move, which may drop the row that stays for the cursor's sake
        if ids:
            self.place = max(0, min(self.place + steps, len(ids) - 1))
            self.selected_id = ids[self.place]
        self.host.changed()

    def click(self, y: int) -> None:
        row = y - HEAD - TITLES
        if 0 <= row < min(self._visible_rows(self.height), len(self.ids) - self.first):
            self._move(self.first + row - self.place)

    def show(self, tab: str) -> None:
        """Switch to another tab, at its first row."""
        self.tab, self.selected_id, self.place, self.first = tab, "", 0, 0
        self.host.changed()

    def _turn(self, steps: int) -> None:
        at = alerts.TABS.index(self.tab)
        self.show(alerts.TABS[(at + steps) % len(alerts.TABS)])

    def _open_alert(self) -> None:
        """Open the selected incident; silences can't be opened."""
        selected_row = self.incident
        if selected_row is not None:
            self.host.push(AlertPage(self.host, self.incidents, selected_row))
        elif self.tab == "silences" and self.panel.silences:
            self.host.say("s ends this silence")
        else:
            self.host.say("nothing to open here")

    def _back(self) -> None:
        if self.tab != alerts.TABS[0]:
            self.show(alerts.TABS[0])
            return
        self.selected_id, self.place, self.first = "", 0, 0
        self.host.changed()


def _key(row: IncidentRow) -> str:
    """The identity that the cursor follows; pending incidents have no id yet."""
    return row.id if row.id != "–" else f"{row.family} {row.rule} {row.where}"
