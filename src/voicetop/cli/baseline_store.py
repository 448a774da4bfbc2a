"""Between a session's detectors and the history: which normals a hub begins with, and how they are kept."""

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
    """The detectors that learn."""
    return next(each for each in session.alerts.detectors if isinstance(each, DetectorSet))


def kept_of(session: Session, name: str, source: str) -> StoredBaseline:
    """What the session has learned so far, to be kept under a name."""
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
    """Calls that it rests on, as far as they haven't faded."""
    return float(baseline.sums["ended"].sum()) if "ended" in baseline.sums else 0.0


def opened(kept: StoredBaseline, where: str) -> Baseline:
    """The detectors' own form of it. Raises HistoryError."""
    try:
        return Baseline.decode(kept.data)
    except (msgspec.DecodeError, ValueError):
        raise HistoryError(f"{where}: the baseline is damaged: learn it again from a recording") from None


def first_of(
    file: str, store: Store | None, name: str, deployment: str, log: Callable[[str], None]
) -> Callable[[], Baseline] | None:
    """The normals to begin with: those of a file that was named, else the newest in the history, else none.

    Each call makes them anew, since a session learns on in what it is given. One of another fleet is warned of. Raises
    HistoryError where a file that was named cannot be judged by; one in the history that can't be is left out.
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
    """Keep what the session learns: as soon as it knows anything, then each time an hour of stamp time is over."""
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
