"""Screen 4: what fires, who took it, what is silenced, what is over. Enter opens one with its runbook."""

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
"""So many lines have to be left for what the row under the cursor is about."""


class AlertsPage(RowKeys, IncidentKeys):
    """The incidents of a tab."""

    name = "alerts"
    ruled = False

    def __init__(self, host: Host, incidents: IncidentActions) -> None:
        super().__init__(host, incidents)
        self.tab = alerts.TABS[0]
        self.panel = AlertsPanel()
        self.chosen_id = ""
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
        """Those of the tab. One that the cursor was put on stays until it is moved, though it belongs elsewhere by now:
        whoever takes an incident goes on with it, and no key meets another that slipped under the cursor.
        """
        rows = alerts.rows_of(self.panel, self.tab)
        if self.chosen_id and all(_key(row) != self.chosen_id for row in rows):
            stays = [row for row in self.panel.incidents if _key(row) == self.chosen_id]
            rows[self.place : self.place] = stays
        return rows

    @property
    def incident(self) -> IncidentRow | None:
        """The incident that the cursor stands on; the first before it was moved."""
        rows = self.rows
        return rows[self.place] if self.place < len(rows) else None

    @property
    def silence(self) -> SilenceRow | None:
        silences = self.panel.silences if self.tab == "silences" else ()
        return silences[self.place] if self.place < len(silences) else None

    def _known(self) -> IncidentRow | None:
        row = super()._known()
        if row is not None:
            self.chosen_id = _key(row)
        return row

    def _follow(self) -> None:
        """The cursor stays on its incident, wherever it moves."""
        ids = self.ids
        if self.chosen_id in ids:
            self.place = ids.index(self.chosen_id)
        self.place = max(0, min(self.place, len(ids) - 1))

    # -- painting -----------------------------------------------------------------------------------------------

    def body(self, scene: Scene, snap: Snapshot, width: int, height: int) -> list[Line]:
        self.panel = snap.alerts
        self._follow()
        lines = [alerts.tab_line(self.panel, self.tab, width)]
        if not self.ids:
            return block([*lines, *alerts.empty_lines(self.panel, self.tab, snap.at, width)], height, width)
        rows = self._visible(height)
        self.first = max(0, min(max(self.first, self.place - rows + 1), self.place, len(self.ids) - rows))
        lines += [alerts.heading(self.tab, width), *self._list(scene, snap.at, width, rows)]
        here = self.incident
        if here is not None and height - len(lines) >= LEAST_BELOW:
            lines += self._below(here, scene, snap, width, height - len(lines))
        return block(lines, height, width)

    def _visible(self, height: int) -> int:
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
                alerts.silence_line(silences[i], now, scene.look, width, chosen=i == self.place)
                for i in shown
            ]
        made = self.rows
        return [alerts.incident_line(made[i], now, scene.look, width, chosen=i == self.place) for i in shown]

    def _below(self, row: IncidentRow, scene: Scene, snap: Snapshot, width: int, room: int) -> list[Line]:
        """Why it fired and its runbook, in short where there is no room for all of it."""
        book = self.incidents.runbook(row.runbook, row.family)
        steps = [runbook_rule(book, row, width), *brief(book, row, width)]
        whole = [runbook_rule(book, row, width), *reason(book, width)]
        for step in book.steps:
            whole += step_lines(step, row, snap, scene.look, width, chosen=False)
        head = [BLANK, self._title(row, width, past=scene.when is not None)]
        told = alerts.facts(row, snap.at, scene.look, width)
        if book.steps and len(head) + len(told) + len(whole) <= room:
            return [fit(line, width) for line in (*head, *told, *whole)]
        left = room - len(head) - len(steps)
        if left < min(4, len(told)):
            return [*head, *told[: room - len(head)]]
        return [fit(line, width) for line in (*head, *told[:left], *steps)]

    def _title(self, row: IncidentRow, width: int, *, past: bool) -> Line:
        """Which incident it is, and what can be done to it; where both have no room, without the rule's name."""
        keys, whole = self._keys(row, past=past), alerts.title(row)
        room = width - cells(keys) - TITLE_FRAME
        return rule(whole if cells(whole) <= room else alerts.title(row, rule=False), width, keys)

    def _keys(self, row: IncidentRow, *, past: bool) -> str:
        """What can be done to it: a narrow footer has no room for that. In the past nothing is sent."""
        takes = "unacknowledges" if row.acked_by else "takes"
        told = [
            ("open_alert", "opens"),
            ("acknowledge", takes),
            ("silence", "ends silence" if row.silence else "silences"),
        ]
        if past or row.state in ("resolved", "pending"):
            del told[1:]
        keys = self.host.keymap.keys
        return " · ".join(f"{written(keys(name), 1)} {word}" for name, word in told if keys(name))

    def row_text(self, scene: Scene) -> str:
        here = self.incident
        snap = scene.snap
        return alerts.incident_text(here, snap, scene.look) if here is not None and snap is not None else ""

    # -- moving -------------------------------------------------------------------------------------------------

    @property
    def row_count(self) -> int:
        return len(self.ids)

    @property
    def page_rows(self) -> int:
        return self._visible(self.height)

    def _move(self, steps: int) -> None:
        ids = self.ids  # before the move: one that stays for the cursor's sake goes with it
        if ids:
            self.place = max(0, min(self.place + steps, len(ids) - 1))
            self.chosen_id = ids[self.place]
        self.host.changed()

    def click(self, y: int) -> None:
        row = y - HEAD - TITLES
        if 0 <= row < min(self._visible(self.height), len(self.ids) - self.first):
            self._move(self.first + row - self.place)

    def show(self, tab: str) -> None:
        """Another tab, from its first row."""
        self.tab, self.chosen_id, self.place, self.first = tab, "", 0, 0
        self.host.changed()

    def _turn(self, steps: int) -> None:
        at = alerts.TABS.index(self.tab)
        self.show(alerts.TABS[(at + steps) % len(alerts.TABS)])

    def _open_alert(self) -> None:
        """The incident in full; on a silence there is nothing more to see."""
        here = self.incident
        if here is not None:
            self.host.push(AlertPage(self.host, self.incidents, here))
        elif self.tab == "silences" and self.panel.silences:
            self.host.say("s ends this silence")
        else:
            self.host.say("nothing to open here")

    def _back(self) -> None:
        if self.tab != alerts.TABS[0]:
            self.show(alerts.TABS[0])
            return
        self.chosen_id, self.place, self.first = "", 0, 0
        self.host.changed()


def _key(row: IncidentRow) -> str:
    """What the cursor follows: those that are pending have no id yet."""
    return row.id if row.id != "–" else f"{row.family} {row.rule} {row.where}"
