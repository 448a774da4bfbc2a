"""Detects new intents and changes in the mix of intents.

A label never seen before counts as new once it occurs five times in 24 hours: fewer are noise. The mix is compared by a
G-test over the calls of the last hours, and must also have moved far enough to matter: a Jensen–Shannon distance of 0.1
(its square is the divergence). PSI is unfit below some 200 calls and insensitive to a rare intent that doubles.
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct, field

from voicetop.alerts.changes.baseline import Baseline
from voicetop.alerts.changes.readings import Part
from voicetop.alerts.signals import Signal
from voicetop.engine.windows.cells import Key
from voicetop.formatting.numbers import percent

INTENT = "intent"
NEW_CALLS, NEW_S = 5, 86_400.0
KNOWN_AFTER_S = 7 * 86_400.0
"""How long a label counts as new."""
MAX_NEW = 200
LEARNED_DAYS = 1.0
MIX_SLOTS, MIX_SLOT_S = 24, 900
MIX_CALLS = 200
MIX_DISTANCE = 0.1
MIX_MIN_G = 30.0
"""By how much G must exceed its degrees of freedom, given a test every quarter-hour."""


class Intents(Struct, kw_only=True):
    """Stamp times of calls by new label (`fresh`); ended calls by label in recent quarter-hours (`slots`)."""

    fresh: dict[str, list[float]] = field(default_factory=dict)
    slots: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    mixed: float = 0.0
    """When the mix changed; 0 if it hasn't."""
    distance: float = 0.0
    grown: str = ""
    share: float = 0.0
    usual: float = 0.0
    """`grown` is the label that grew most, with its share now and its usual share."""

    def step(self, ended: Part | None, keys: list[Key], baseline: Baseline, at: float) -> list[Signal]:
        """Active signals; `ended` are the calls that ended since the last mark, by row."""
        if ended is not None:
            self._count(ended, keys, baseline, at)
        if int(at) % MIX_SLOT_S == 0:
            self._compare(baseline, at)
        signals = [_new(name, stamps) for name, stamps in sorted(self.fresh.items()) if _enough(stamps, at)]
        if self.mixed:
            signals.append(_mix(self))
        return signals

    def _count(self, ended: Part, keys: list[Key], baseline: Baseline, at: float) -> None:
        slot = int((at - 1) // MIX_SLOT_S)
        if not self.slots or self.slots[-1][0] != slot:
            self.slots = [*self.slots[-MIX_SLOTS + 1 :], (slot, {})]
        here = self.slots[-1][1]
        for row, count in zip(ended[0].tolist(), ended[1].tolist(), strict=True):
            name = dict(keys[row]).get(INTENT, "")
            if not name or count <= 0:
                continue
            here[name] = here.get(name, 0) + count
            if name in baseline.labels or baseline.days < LEARNED_DAYS:
                baseline.labels[name] = baseline.labels.get(name, 0.0) + count
            elif name in self.fresh or len(self.fresh) < MAX_NEW:
                stamps = self.fresh.setdefault(name, [])
                stamps += [at] * min(count, NEW_CALLS)
                if len(stamps) > 2 * NEW_CALLS:
                    del stamps[NEW_CALLS:-NEW_CALLS]
        self._absorb_old_labels(baseline, at)

    def _absorb_old_labels(self, baseline: Baseline, at: float) -> None:
        for name, stamps in list(self.fresh.items()):
            if at - stamps[0] > KNOWN_AFTER_S:
                baseline.labels[name] = float(len(stamps))
                del self.fresh[name]

    def _compare(self, baseline: Baseline, at: float) -> None:
        counts: dict[str, int] = {}
        for _, slot in self.slots:
            for name, count in slot.items():
                counts[name] = counts.get(name, 0) + count
        n = sum(counts.values())
        if n < MIX_CALLS or baseline.days < LEARNED_DAYS:
            self.mixed = 0.0
            return
        names = sorted({*counts, *baseline.labels})
        now = np.array([counts.get(name, 0) for name in names], float)
        normal = np.array([baseline.labels.get(name, 0.0) for name in names]) + 0.5
        g, distance = compare(now, normal)
        on = distance > MIX_DISTANCE and g - len(names) > MIX_MIN_G
        self.mixed, self.distance = (self.mixed or at) if on else 0.0, distance
        more = now / n - normal / normal.sum()
        most_grown = int(more.argmax())
        self.grown, self.share, self.usual = (
            names[most_grown],
            float(now[most_grown] / n),
            float(normal[most_grown] / normal.sum()),
        )


def compare(now: np.ndarray, normal: np.ndarray) -> tuple[float, float]:
    """(G of `now` against the shares of `normal`, Jensen–Shannon distance of the two mixes, natural logarithm)."""
    p, q = now / now.sum(), normal / normal.sum()
    present = now > 0
    g = 2 * float((now[present] * np.log(p[present] / q[present])).sum())
    middle = (p + q) / 2
    divergence = (
        float((p[present] * np.log(p[present] / middle[present])).sum() + (q * np.log(q / middle)).sum()) / 2
    )
    return g, math.sqrt(max(0.0, divergence))


def _enough(stamps: list[float], at: float) -> bool:
    """Whether there were five within 24 hours at any time; then it stays on."""
    close = any(b - a <= NEW_S for a, b in zip(stamps, stamps[NEW_CALLS - 1 :], strict=False))
    return close and at - stamps[0] <= KNOWN_AFTER_S


def _new(name: str, stamps: list[float]) -> Signal:
    return Signal(
        rule=f"intent.{name}"[:120],
        family="intent",
        tier="info",
        text=f"new intent {name}: {len(stamps)} calls since its first",
        onset=stamps[0],
        value=float(len(stamps)),
        normal=0.0,
        line=float(NEW_CALLS),
        unit="calls",
        n=len(stamps),
        calls=len(stamps),
        because=f"a new label, {NEW_CALLS} times in 24 hours",
        metric="new intent",
    )


def _mix(intents: Intents) -> Signal:
    return Signal(
        rule="intent.mix",
        family="intent",
        tier="info",
        text=f"the mix of intents changed: {intents.grown} {percent(intents.share)}, normal {percent(intents.usual)}",
        onset=intents.mixed,
        value=intents.share,
        normal=intents.usual,
        unit="rate",
        n=sum(sum(slot.values()) for _, slot in intents.slots),
        because=f"G-test, and a Jensen–Shannon distance of {intents.distance:.2f}, over {MIX_DISTANCE}",
        metric=f"calls about {intents.grown}",
    )
