"""Past incidents with their times to detect, acknowledge and resolve, recorded from effects as they come.

All times are stamps: the time to detect runs from the estimated onset to the firing, and so on. Recording the same
effect twice changes nothing.
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
    """The fields read from an effect (`alerts.signals.Effect`), which this package may not import."""

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
    """A recorded incident; times are stamps, NaN if it wasn't acknowledged or resolved."""

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
        """From the alert to its acknowledgement."""
        return self.acked_at - self.fired_at

    @property
    def to_resolve_s(self) -> float:
        """From the onset to the resolution."""
        return self.resolved_at - self.onset


_UPSERT = """
INSERT INTO incidents (thread, key, incident_id, family, rule, segment, tier, summary, blame, onset, silenced)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (thread) DO UPDATE SET tier = excluded.tier, summary = excluded.summary, silenced = excluded.silenced,
  blame = CASE WHEN excluded.blame = '' THEN blame ELSE excluded.blame END
"""
_SET_TIME = {
    "fired": "UPDATE incidents SET fired_at = coalesce(fired_at, ?) WHERE thread = ?",
    "worse": "UPDATE incidents SET worse_at = coalesce(worse_at, ?) WHERE thread = ?",
    "acknowledged": "UPDATE incidents SET acked_at = coalesce(acked_at, ?), acked_by = ? WHERE thread = ?",
    "resolved": "UPDATE incidents SET resolved_at = ?, resolved_by = ? WHERE thread = ?",
}
_FILL_TIMES = """
UPDATE incidents SET fired_at = coalesce(fired_at, ?), acked_at = coalesce(acked_at, ?) WHERE thread = ?
"""
"""Fills in earlier times from a later effect, if recording began in between."""
_NAMED = ("acknowledged", "resolved")


class IncidentLog:
    """Records effects. An error of the store is logged once; alerts continue without it."""

    def __init__(self, store: Store, log: Callable[[str], None]) -> None:
        self.store = store
        self._log = log
        self._trouble = ""

    def record(self, effects: Iterable[NotificationTimes]) -> None:
        """Record effects."""
        try:
            for effect in effects:
                self._write(effect)
        except HistoryError as error:
            if str(error) != self._trouble:
                self._log(f"{error}; alerts continue without it")
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _write(self, effect: NotificationTimes) -> None:
        thread = f"{effect.key}@{effect.onset!r}"
        segment = " × ".join(f"{name}={value}" for name, value in effect.where)
        row = (
            *(thread, effect.key, effect.incident_id, effect.family, effect.rule, segment, effect.tier),
            *(effect.summary, effect.blame, effect.onset, int(effect.silenced)),
        )
        self.store.write(_UPSERT, [row])
        by = (effect.by,) if effect.reason in _NAMED else ()
        # an incident that was part of another may be notified long after it fired
        at = effect.fired_at or effect.at if effect.reason == "fired" else effect.at
        if effect.reason in _SET_TIME:
            self.store.write(_SET_TIME[effect.reason], [(at, *by, thread)])
        if effect.reason != "fired":
            self.store.write(_FILL_TIMES, [(effect.fired_at or None, effect.acked_at or None, thread)])


def open_log(path: str, writer: str, log: Callable[[str], None]) -> IncidentLog | None:
    """The log in the store at `path`; None without a path, or if it can't be opened, which is logged."""
    if not path:
        return None
    try:
        return IncidentLog(Store(Path(path), writer=writer), log)
    except HistoryError as error:
        log(f"{error}; continuing without a history")
        return None


def incidents_since(store: Store, at: float) -> list[PastIncident]:
    """Incidents that began at `at` or later, oldest first. Raises HistoryError."""
    rows = store.read(
        "SELECT incident_id, family, rule, segment, tier, summary, blame, onset, fired_at, acked_at, acked_by,"
        " resolved_at, resolved_by FROM incidents WHERE onset >= ? ORDER BY onset, thread",
        (at,),
    )
    return [PastIncident(*(_or_default(value, index) for index, value in enumerate(row))) for row in rows]


def _or_default(value: Any, index: int) -> Any:
    if value is not None:
        return value
    return "" if PastIncident.__struct_fields__[index].endswith("_by") else NAN
