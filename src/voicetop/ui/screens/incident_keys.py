"""What people do to an incident, on the list and on its own page alike: take it, silence it, note, resolve."""

from __future__ import annotations

from voicetop.alerts.incidents.silences import written
from voicetop.engine.snapshot import NAN, IncidentRow, SilenceRow, Snapshot
from voicetop.errors import UsageError
from voicetop.sources import Act
from voicetop.ui import silence_entry
from voicetop.ui.screens.page import Page
from voicetop.ui.screens.prompt import PromptBox
from voicetop.ui.screens.responder import Responder

NONE_HERE = "there is no incident here"


class IncidentKeys(Page):
    """A page with an incident under its cursor."""

    host: Responder

    def __init__(self, host: Responder) -> None:
        super().__init__(host)
        self.now = NAN

    def see(self, snap: Snapshot) -> None:
        self.now = snap.at

    @property
    def incident(self) -> IncidentRow | None:
        """The one that is acted on."""
        raise NotImplementedError

    @property
    def silence(self) -> SilenceRow | None:
        """The silence under the cursor, where there is one."""
        return None

    def _known(self) -> IncidentRow | None:
        """The incident, where something can be done to it; else say why not."""
        row = self.incident
        if row is None:
            self.host.say(NONE_HERE)
        elif row.state == "pending":
            self.host.say("it hasn't fired yet: it may be nothing")
        else:
            return row
        return None

    def _open(self) -> IncidentRow | None:
        row = self._known()
        if row is not None and row.state == "resolved":
            self.host.say(f"{row.id} is over; n keeps a note with it")
            return None
        return row

    def act_acknowledge(self) -> None:
        """Take it, or give it back."""
        row = self._open()
        if row is not None and row.acked_by:
            self.host.operate(Act("unack", row.id), said=f"{row.id}: given back")
        elif row is not None:
            self.host.operate(Act("ack", row.id), said=f"{row.id}: taken")

    def act_silence(self) -> None:
        """Keep it quiet until an end; a silence that is there already ends."""
        quiet = self.silence
        if quiet is not None:
            self.host.operate(Act("unsilence", quiet.id), said=f"{quiet.id} ends")
            return
        row = self._open()
        if row is not None and row.silence:
            self.host.operate(Act("unsilence", row.silence), said=f"{row.silence} ends")
        elif row is not None:
            self.host.lay(
                PromptBox(
                    self.host, f"silence {row.id}", silence_entry.HINT, lambda text: self._silence(row, text)
                )
            )

    def _silence(self, row: IncidentRow, text: str) -> str:
        try:
            end = silence_entry.ending_of(text, self.now, utc=self.host.utc)
        except UsageError as error:
            return str(error)
        matcher = end.matcher or written((("rule", row.rule), *row.where))
        self.host.operate(Act("silence", matcher, end.why, end.until), said=f"silenced: {matcher}")
        return ""

    def act_note(self) -> None:
        """Words that stay with the incident; where there is none, with the moment."""
        row = self.incident
        if row is None or row.state == "pending":
            self.host.note()
            return
        hint = f"a note that stays with {row.id}   Enter keeps it, Esc doesn't"
        self.host.lay(PromptBox(self.host, "note", hint, lambda text: self._note(row, text)))

    def _note(self, row: IncidentRow, text: str) -> str:
        if not text.strip():
            return "no words yet: Esc leaves without a note"
        self.host.operate(Act("note", row.id, text.strip()), said=f"{row.id}: noted")
        return ""

    def act_resolve(self) -> None:
        """It is over, whatever its signal says; ask for the reason, so that no slip of a finger does it."""
        row = self._open()
        if row is not None:
            hint = "why it is over; Enter resolves it, Esc doesn't"
            self.host.lay(
                PromptBox(self.host, f"resolve {row.id}", hint, lambda text: self._resolve(row, text))
            )

    def _resolve(self, row: IncidentRow, text: str) -> str:
        self.host.operate(Act("resolve", row.id, text.strip()), said=f"{row.id}: resolved")
        return ""

    def act_blame(self) -> None:
        """Narrow every screen to what this incident is about."""
        row = self.incident
        if row is None:
            self.host.say(NONE_HERE)
        elif not row.where:
            self.host.say("no segment explains it: it is everybody's")
        else:
            self.host.narrow_to(row.where)
