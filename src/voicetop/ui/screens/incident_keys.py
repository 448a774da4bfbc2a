"""Actions on incidents, shared by list and incident page: acknowledge, silence, note, resolve."""

from __future__ import annotations

from functools import partial

from voicetop.alerts.incidents.silences import format_matcher
from voicetop.engine.snapshot import NAN, IncidentRow, SilenceRow, Snapshot
from voicetop.errors import UsageError
from voicetop.sources import Act
from voicetop.ui import silence_entry
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.actions.responding import IncidentActions
from voicetop.ui.screens.page import Host, Page
from voicetop.ui.screens.prompt import PromptBox

NONE_HERE = "no incident here"


class IncidentKeys(Page):
    """A page with a selected incident."""

    def __init__(self, host: Host, incidents: IncidentActions) -> None:
        super().__init__(host)
        self.incidents = incidents
        self.now = NAN

    def handlers(self) -> Handlers:
        own: Handlers = {
            **super().handlers(),
            "acknowledge": self._acknowledge,
            "silence": self._silence,
            "resolve": self._resolve,
            "blame": self._blame,
        }
        row = self.incident
        if row is not None and row.state != "pending":  # else a note is about the viewed time
            own["note"] = partial(self._note, row)
        return own

    def see(self, snap: Snapshot) -> None:
        self.now = snap.at

    @property
    def incident(self) -> IncidentRow | None:
        """The selected incident."""
        raise NotImplementedError

    @property
    def silence(self) -> SilenceRow | None:
        """The selected silence, if any."""
        return None

    def _fired_row(self) -> IncidentRow | None:
        """The selected incident if it has fired; else None, with a message."""
        row = self.incident
        if row is None:
            self.host.say(NONE_HERE)
        elif row.state == "pending":
            self.host.say("it has not fired yet")
        else:
            return row
        return None

    def _open_row(self) -> IncidentRow | None:
        row = self._fired_row()
        if row is not None and row.state == "resolved":
            self.host.say(f"{row.id} is resolved; n adds a note")
            return None
        return row

    def _acknowledge(self) -> None:
        """Acknowledge or unacknowledge."""
        row = self._open_row()
        if row is not None and row.acked_by:
            self.incidents.operate(Act("unack", row.id), message=f"{row.id}: unacknowledged")
        elif row is not None:
            self.incidents.operate(Act("ack", row.id), message=f"{row.id}: acknowledged")

    def _silence(self) -> None:
        """Silence the incident, or end its silence."""
        silence = self.silence
        if silence is not None:
            self.incidents.operate(Act("unsilence", silence.id), message=f"{silence.id} ended")
            return
        row = self._open_row()
        if row is not None and row.silence:
            self.incidents.operate(Act("unsilence", row.silence), message=f"{row.silence} ended")
        elif row is not None:
            self.host.push(
                PromptBox(
                    self.host, f"silence {row.id}", silence_entry.HINT, partial(self._silence_until, row)
                )
            )

    def _silence_until(self, row: IncidentRow, text: str) -> str:
        try:
            end = silence_entry.parse_silence(text, self.now, utc=self.host.options.utc)
        except UsageError as error:
            return str(error)
        matcher = end.matcher or format_matcher((("rule", row.rule), *row.where))
        self.incidents.operate(Act("silence", matcher, end.why, end.until), message=f"silenced: {matcher}")
        return ""

    def _note(self, row: IncidentRow) -> None:
        """Prompt for a note on the incident."""
        hint = f"a note on {row.id}   Enter saves, Esc cancels"
        self.host.push(PromptBox(self.host, "note", hint, partial(self._add_note, row)))

    def _add_note(self, row: IncidentRow, text: str) -> str:
        if not text.strip():
            return "the note is empty: Esc cancels"
        self.incidents.operate(Act("note", row.id, text.strip()), message=f"{row.id}: note added")
        return ""

    def _resolve(self) -> None:
        """Resolve by hand; prompts for a reason, which also prevents slips."""
        row = self._open_row()
        if row is not None:
            hint = "reason; Enter resolves, Esc cancels"
            self.host.push(
                PromptBox(self.host, f"resolve {row.id}", hint, partial(self._resolve_because, row))
            )

    def _resolve_because(self, row: IncidentRow, text: str) -> str:
        self.incidents.operate(Act("resolve", row.id, text.strip()), message=f"{row.id}: resolved")
        return ""

    def _blame(self) -> None:
        """Narrow every screen to the incident's segment."""
        row = self.incident
        if row is None:
            self.host.say(NONE_HERE)
        elif not row.where:
            self.host.say("no segment explains it: all segments are affected")
        else:
            self.host.scope.where = row.where
            self.host.changed()
