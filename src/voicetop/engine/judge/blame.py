"""Whether a change in the world may be to blame for a trouble that began with it."""

from __future__ import annotations

from voicetop.engine.attribution import segments
from voicetop.engine.attribution.segments import Vector
from voicetop.engine.attribution.snapping import GUILTY_Z, VERSION, version_z
from voicetop.engine.judge.mark import Mark
from voicetop.engine.judge.outcomes import RATES
from voicetop.engine.snapshot import Trouble
from voicetop.formatting.numbers import known
from voicetop.wire.events import Marker


def may_blame(marker: Marker, trouble: Trouble, mark: Mark) -> bool:
    """Whether a change may be to blame: its version, where it names one, has to have become worse than the others.

    A provider's outage that happens to begin with a deploy hits all versions alike. Neither the first stuck callers nor
    calls that don't come can be compared by version.
    """
    if not marker.version or (VERSION, marker.version) in trouble.where:
        return True
    counted = _counted(trouble.kind, mark)
    if counted is None:
        return False
    z = version_z(mark.ledger.cells.keys[: len(mark.ledger.cells)], *counted, marker.version)
    return z > GUILTY_Z or not known(z)


def _counted(kind: str, mark: Mark) -> tuple[Vector, Vector] | None:
    """What went wrong by cell, and what was expected."""
    if kind == "errors":
        trials = segments.failed_calls(mark.ledger)
        return trials.hits, trials.expected
    if kind == "latency":
        trials = segments.slow_turns(mark.ledger, mark.usual.slow_from)
        return trials.hits, trials.expected
    if kind not in RATES:
        return None
    hits, of = (mark.ledger.counts.by_cell("30m", name)[: len(mark.ledger.cells)] for name in RATES[kind])
    bad = of - hits if kind == "success" else hits
    return bad.astype(float), of.astype(float)
