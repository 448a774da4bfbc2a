"""Loads a session's initial baseline, and stores what its detectors learn in the history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from voicetop.alerts.changes.baseline import FORMAT, Baseline
from voicetop.alerts.detectors.all import DetectorSet
from voicetop.engine.windows.histograms import METRICS
from voicetop.errors import HistoryError
from voicetop.history import baselines
from voicetop.history.baselines import StoredBaseline
from voicetop.history.store import Store
from voicetop.session import Session
from voicetop.wire.codec import Beat

HOUR_S = 3600.0
USUAL_NAME = "default"


def desk_of(session: Session) -> DetectorSet:
    """The session's learning detectors."""
    return next(each for each in session.alerts.detectors if isinstance(each, DetectorSet))


def kept_of(session: Session, name: str, source: str) -> StoredBaseline:
    """What the session has learned so far, as a named baseline."""
    baseline = desk_of(session).baseline
    return StoredBaseline(
        name=name,
        deployment=session.deployment,
        made_at=session.at,
        first_at=baseline.since,
        last_at=baseline.until,
        calls=round(calls_of(baseline)),
        metrics=METRICS,
        source=source,
        format=str(FORMAT),
        data=baseline.encode(),
    )


def calls_of(baseline: Baseline) -> float:
    """The number of calls in it, weighted by decay."""
    return float(baseline.sums["ended"].sum()) if "ended" in baseline.sums else 0.0


def opened(kept: StoredBaseline, where: str) -> Baseline:
    """Decode a stored baseline. Raises HistoryError."""
    try:
        return Baseline.decode(kept.data)
    except (msgspec.DecodeError, ValueError):
        raise HistoryError(f"{where}: the baseline is damaged: learn it again from a recording") from None


def first_of(
    file: str, store: Store | None, name: str, deployment: str, log: Callable[[str], None]
) -> Callable[[], Baseline] | None:
    """A factory for the initial baseline: from `file`, else the newest in the history; None without either.

    It decodes the baseline for each session, since sessions modify theirs. Warns if it is from another fleet. Raises
    HistoryError if `file` is unusable; an unusable one in the history is ignored.
    """
    kept, where = _found(file, store, name, log)
    if kept is None:
        return None
    try:
        warning = baselines.check(kept, deployment, where, str(FORMAT))
        opened(kept, where)
    except HistoryError as error:
        if file:
            raise
        log(f"{error}; learning what is normal starts again")
        return None
    if warning:
        log(warning)
    return lambda: opened(kept, where)


def _found(
    file: str, store: Store | None, name: str, log: Callable[[str], None]
) -> tuple[StoredBaseline | None, str]:
    if file:
        return baselines.read_file(Path(file)), file
    if store is None:
        return None, ""
    try:
        return baselines.latest(store, name), str(store.path)
    except HistoryError as error:
        log(f"{error}; learning what is normal starts again")
        return None, ""


def keep_hourly(session: Session, store: Store, name: str, log: Callable[[str], None]) -> None:
    """Save what the session learns: first as soon as possible, then after every hour of stamp time."""
    kept_until = [0.0]

    def keep(beat: Beat) -> None:
        baseline = desk_of(session).baseline
        if baseline.until <= kept_until[0] or not baseline.healthy_s:
            return
        kept_until[0] = baseline.until
        try:
            baselines.save(store, kept_of(session, name, f"the feed until {beat.at:.0f}"))
        except HistoryError as error:
            log(f"{error}; the baseline was not saved")

    session.on_beat.append(keep)
