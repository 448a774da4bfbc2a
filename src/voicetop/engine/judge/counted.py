"""Stuck callers, and live calls near the tested capacity: what is counted now."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.engine import thresholds
from voicetop.engine.attribution import segments
from voicetop.engine.attribution.change_point import Change
from voicetop.engine.judge.mark import Finding, Mark
from voicetop.engine.snapshot import Trouble, Where


def stuck(mark: Mark, before: Where, suspects: Sequence[Where], *, on: bool) -> list[Finding]:
    """Callers who wait for longer than anybody should; `on`: it is a trouble already, and a few are enough.

    `before` is the segment that explained them at the last mark, `suspects` are those of other troubles.
    """
    panel = mark.panel
    confirmed = mark.now.panel(mark.now.confirmed(mark.waiting, mark.over), mark.over)
    severity = thresholds.stuck(confirmed, len(mark.live))
    if severity == "ok" and not (on and panel.stuck > max(1, len(mark.live) // thresholds.STUCK_BY_CHANCE)):
        return []
    worst, first = panel.stages[0], mark.at - panel.longest_s
    calls = [call for call in mark.waiting if mark.now.seconds(call) > mark.over]
    who = segments.of_stuck(mark.ledger, calls, before, suspects)
    trouble = Trouble(
        "waiting", first, "down" if severity == "down" else "degraded", float(panel.stuck), 0.0, panel.waiting,
        line=mark.over, stage=worst.stage, provider=worst.provider, where=who.where, explains=who.explains,
    )  # fmt: skip
    return [Finding(trouble, Change(1.0, first, first - mark.over, first + 1.0))]


def near_capacity(mark: Mark) -> list[Finding]:
    """Live calls near or over the tested limit."""
    live, limit = len(mark.live), mark.limit
    if thresholds.capacity(live, limit) == "ok":
        return []
    return [Finding(Trouble("capacity", mark.at, "degraded", float(live), n=live, line=float(limit)))]
