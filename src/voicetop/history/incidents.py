"""Which incidents there were, and how long it took to see, to take and to end each: from the effects, as they come.

Everything is a matter of stamps: time to detection is from the estimated onset to the firing, and so on. The same
effect written twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from voicetop.errors import HistoryError
from voicetop.history.store import Store

NAN = float("nan")


class NotificationTimes(Protocol):
    """What is read of an effect (`alerts.signals.Effect`): this room knows the words, not the room above."""

    @property
    def reason(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def incident_id(self) -> str: ...
    @property
    def tier(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def where(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def at(self) -> float: ...
    @property
    def onset(self) -> float: ...
    @property
    def summary(self) -> str: ...
    @property
    def blame(self) -> str: ...
    @property
    def by(self) -> str: ...
    @property
    def silenced(self) -> bool: ...
    @property
    def fired_at(self) -> float: ...
    @property
    def acked_at(self) -> float: ...


class PastIncident(Struct, frozen=True):
    """One incident as it is remembered; times are stamps, NaN where it did not come to that."""

    incident_id: str
    family: str
    rule: str
    segment: str
    tier: str
    summary: str
    blame: str
    onset: float
    fired_at: float = NAN
    acked_at: float = NAN
    acked_by: str = ""
    resolved_at: float = NAN
    resolved_by: str = ""

    @property
    def to_detect_s(self) -> float:
        """From the estimated onset to the alert."""
        return self.fired_at - self.onset

    @property
    def to_acknowledge_s(self) -> float:
        """From the alert to somebody's taking it."""
        return self.acked_at - self.fired_at

    @property
    def to_resolve_s(self) -> float:
        """From the onset to the end."""
        return self.resolved_at - self.onset


_BEGIN = """
INSERT INTO incidents (thread, key, incident_id, family, rule, segment, tier, summary, blame, onset, silenced)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (thread) DO UPDATE SET tier = excluded.tier, summary = excluded.summary, silenced = excluded.silenced,
  blame = CASE WHEN excluded.blame = '' THEN blame ELSE excluded.blame END
"""
_MOMENT = {
    "fired": "UPDATE incidents SET fired_at = coalesce(fired_at, ?) WHERE thread = ?",
    "worse": "UPDATE incidents SET worse_at = coalesce(worse_at, ?) WHERE thread = ?",
    "acknowledged": "UPDATE incidents SET acked_at = coalesce(acked_at, ?), acked_by = ? WHERE thread = ?",
    "resolved": "UPDATE incidents SET resolved_at = ?, resolved_by = ? WHERE thread = ?",
}
_BEFORE = """
UPDATE incidents SET fired_at = coalesce(fired_at, ?), acked_at = coalesce(acked_at, ?) WHERE thread = ?
"""
"""What a later word knows of earlier moments, where whoever writes came in between."""
_NAMED = ("acknowledged", "resolved")


class IncidentLog:
    """Writes effects down. What the store can't take is told once; alerts go on without it."""

    def __init__(self, store: Store, log: Callable[[str], None]) -> None:
        self.store = store
        self._log = log
        self._trouble = ""

    def record(self, effects: Iterable[NotificationTimes]) -> None:
        """Write down what happened."""
        try:
            for effect in effects:
                self._write(effect)
        except HistoryError as error:
            if str(error) != self._trouble:
                self._log(f"{error}; alerts continue without it")
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _write(self, told: NotificationTimes) -> None:
        thread = f"{told.key}@{told.onset!r}"
        segment = " × ".join(f"{name}={value}" for name, value in told.where)
        first: tuple[Any, ...] = (
            thread,
            told.key,
            told.incident_id,
            told.family,
            told.rule,
            segment,
            told.tier,
        )
        self.store.write(_BEGIN, [(*first, told.summary, told.blame, told.onset, int(told.silenced))])
        by = (told.by,) if told.reason in _NAMED else ()
        # what was part of another may be told long after it fired
        at = told.fired_at or told.at if told.reason == "fired" else told.at
        if told.reason in _MOMENT:
            self.store.write(_MOMENT[told.reason], [(at, *by, thread)])
        if told.reason != "fired":
            self.store.write(_BEFORE, [(told.fired_at or None, told.acked_at or None, thread)])


def open_log(path: str, writer: str, log: Callable[[str], None]) -> IncidentLog | None:
    """The log in the store at `path`, None for none; trouble with it is said and keeps nobody from anything."""
    if not path:
        return None
    try:
        return IncidentLog(Store(Path(path), writer=writer), log)
    except HistoryError as error:
        log(f"{error}; continuing without a history")
        return None


def incidents_since(store: Store, at: float) -> list[PastIncident]:
    """Those that began at `at` or later, oldest first. Raises HistoryError."""
    rows = store.read(
        "SELECT incident_id, family, rule, segment, tier, summary, blame, onset, fired_at, acked_at, acked_by,"
        " resolved_at, resolved_by FROM incidents WHERE onset >= ? ORDER BY onset, thread",
        (at,),
    )
    return [PastIncident(*(_plain(value, index) for index, value in enumerate(row))) for row in rows]


def _plain(value: Any, index: int) -> Any:
    if value is not None:
        return value
    return "" if PastIncident.__struct_fields__[index].endswith("_by") else NAN
