"""Where all detectors sit: a step on each whole 5-second mark of stamp time, and at once on what can't wait.

    engine.taps ──► Reading ──► Watch (baseline, CUSUMs, whose is it) ──► Signals
    engine      ──► waiting callers, capacity, feed                   ──►    "
    engine      ──► presets, as long as the Watch still learns        ──►    "
    taps.urgent ──► compliance, security                              ──►    "    at any heartbeat

It moves by stamps only, and its state is part of the checkpoint, the normals in force included.
"""

from __future__ import annotations

from msgspec import Struct, field

from voicetop.alerts.changes import array_codec, readings
from voicetop.alerts.changes.baseline import Baseline
from voicetop.alerts.changes.deploy_attribution import blame
from voicetop.alerts.changes.detector import LEARN_S, ChangeDetector, ChangeDetectorState
from voicetop.alerts.changes.rows import Rows
from voicetop.alerts.changes.signal_text import signal_of
from voicetop.alerts.detectors import capacity, feed, presets, runaway, urgent, waiting
from voicetop.alerts.detectors.intents import Intents
from voicetop.alerts.detectors.runaway import Runaway
from voicetop.alerts.signals import Signal
from voicetop.engine.engine import MARK_S, Engine
from voicetop.engine.tick import Urgency


class DetectorSetState(Struct, kw_only=True):
    """All that the desk knows, for a checkpoint."""

    watch: ChangeDetectorState = field(default_factory=ChangeDetectorState)
    urgent: list[Urgency] = field(default_factory=list)
    intents: Intents = field(default_factory=Intents)
    runaway: Runaway = field(default_factory=Runaway)
    began: float = 0.0
    """The first heartbeat: of marks before it nothing is known."""


array_codec.register(DetectorSetState)


class DetectorSet:
    """The detectors of one session (`alerts.Detectors`), over a baseline of its own or one that is given."""

    def __init__(self, baseline: Baseline | None = None) -> None:
        self._begin(DetectorSetState())
        if baseline is not None:
            self.judge_by(baseline)

    def _begin(self, state: DetectorSetState) -> None:
        self._state = state
        self._watch = ChangeDetector(state.watch)
        self._rows = Rows(state.watch.baseline.keys)

    @property
    def baseline(self) -> Baseline:
        """The normals in force; learning goes on in it."""
        return self._state.watch.baseline

    def judge_by(self, baseline: Baseline) -> None:
        """Take these normals from now on, and learn on from them."""
        self._begin(DetectorSetState(watch=ChangeDetectorState(baseline=baseline)))

    # -- alerts.Detectors ---------------------------------------------------------------------------------------

    def step(self, engine: Engine, at: float) -> list[Signal]:
        """All signals that are on at this 5-second mark."""
        state, baseline = self._state, self.baseline
        state.began = state.began or engine.at
        if at + MARK_S <= state.began:
            return []
        state.urgent = urgent.recent(state.urgent, at)
        self._rows.update(engine.ledger.cells.keys)
        blind = feed.signals(engine, at)
        if any(signal.tier == "critical" for signal in blind):
            return [
                *urgent.signals(state.urgent),
                *blind,
            ]  # nothing that comes or doesn't is a sign of anything
        reading = readings.read(engine.ledger.taps.drain(), self._rows.of, baseline.lines)
        standing = presets.signals(engine, at) if self._watch.learning else []
        self._watch.step(reading, at, down=any(signal.tier == "critical" for signal in standing))
        return [
            *urgent.signals(state.urgent),
            *blind,
            *waiting.signals(engine, at),
            *capacity.signals(engine, at),
            *(standing if self._watch.evidence is None else self._alarms(engine)),
            *runaway.signals(state.runaway, reading.dearest, baseline, at),
            *state.intents.step(reading.parts.get("ended"), baseline.keys, baseline, at),
        ]

    def urgent(self, engine: Engine, at: float) -> list[Signal]:  # noqa: ARG002 - one signature for all detectors
        """What came since the last heartbeat and can't wait for a mark."""
        new = engine.ledger.taps.hurry()
        self._state.urgent += new
        return urgent.signals(new)

    def learning_s(self, engine: Engine, at: float) -> float:  # noqa: ARG002
        """Seconds until the normals are learned; 0 where they are."""
        if self._watch.evidence is not None or self.baseline.lines:
            return 0.0
        return max(MARK_S, LEARN_S - self._state.watch.hour.seconds - self.baseline.healthy_s)

    def dump(self) -> bytes:
        """The state, for a checkpoint."""
        return array_codec.encode(self._state)

    def load(self, state: bytes) -> None:
        """Go on from a checkpoint. Raises msgspec.DecodeError."""
        self._begin(array_codec.decode(state, DetectorSetState))

    # -- words --------------------------------------------------------------------------------------------------

    def _alarms(self, engine: Engine) -> list[Signal]:
        evidence = self._watch.evidence
        assert evidence is not None
        by_name = {stream.name: stream for stream in evidence.weights.streams}
        return [
            signal_of(
                alarm,
                by_name[alarm.stream],
                engine,
                blame(alarm, by_name[alarm.stream], engine.markers, evidence),
                self.baseline,
            )
            for alarm in self._state.watch.alarms
            if alarm.stream in by_name
        ]
