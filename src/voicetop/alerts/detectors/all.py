"""All detectors: stepped on each whole 5-second mark of stamp time, and at once for urgent events.

    TickCounters ──► TickReading ──► ChangeDetector (baseline, CUSUMs, scan) ──► Signals
    Engine       ──► waiting callers, capacity, feed                         ──►    "
    Engine       ──► presets, while the ChangeDetector still learns          ──►    "
    urgent       ──► compliance, security                                    ──►    "    at any heartbeat

Driven by stamp time only; the state, including the baseline, is part of the checkpoint.
"""

from __future__ import annotations

from msgspec import Struct, field

from voicetop.alerts.changes import array_codec, readings
from voicetop.alerts.changes.baseline import Baseline
from voicetop.alerts.changes.deploy_attribution import blame, date
from voicetop.alerts.changes.detector import LEARN_S, ChangeDetector, ChangeDetectorState
from voicetop.alerts.changes.onset import Counted, estimated
from voicetop.alerts.changes.rows import Rows
from voicetop.alerts.changes.signal_text import signal_of
from voicetop.alerts.detectors import capacity, feed, presets, runaway, urgent, waiting
from voicetop.alerts.detectors.intents import Intents
from voicetop.alerts.detectors.runaway import Runaway
from voicetop.alerts.signals import Signal
from voicetop.engine.engine import MARK_S, Engine
from voicetop.engine.snapshot import Where
from voicetop.engine.tick import Urgency
from voicetop.formatting.numbers import known


class DetectorSetState(Struct, kw_only=True):
    """`DetectorSet` for a checkpoint."""

    watch: ChangeDetectorState = field(default_factory=ChangeDetectorState)
    urgent: list[Urgency] = field(default_factory=list)
    intents: Intents = field(default_factory=Intents)
    runaway: Runaway = field(default_factory=Runaway)
    began: float = 0.0
    """The first heartbeat: marks before it are skipped."""
    stuck_in: Where = ()
    """The segment that the stuck callers had in common at `stuck_at`, the last mark with a signal about them."""
    stuck_at: float = 0.0


array_codec.register(DetectorSetState)


class DetectorSet:
    """The detectors of one session (`alerts.Detectors`), with its own baseline or a given one."""

    def __init__(self, baseline: Baseline | None = None) -> None:
        self._reset(DetectorSetState())
        if baseline is not None:
            self.use_baseline(baseline)

    def _reset(self, state: DetectorSetState) -> None:
        self._state = state
        self._changes = ChangeDetector(state.watch)
        self._rows = Rows(state.watch.baseline.keys)

    @property
    def baseline(self) -> Baseline:
        """The current baseline, which keeps learning."""
        return self._state.watch.baseline

    def use_baseline(self, baseline: Baseline) -> None:
        """Use a baseline from now on, and keep learning from it."""
        self._reset(DetectorSetState(watch=ChangeDetectorState(baseline=baseline)))

    # -- alerts.Detectors ---------------------------------------------------------------------------------------

    def step(self, engine: Engine, at: float) -> list[Signal]:
        """All signals that are on at this 5-second mark."""
        state, baseline = self._state, self.baseline
        state.began = state.began or engine.at
        if at + MARK_S <= state.began:
            return []
        state.urgent = urgent.recent(state.urgent, at)
        self._rows.update(engine.ledger.cells.keys)
        feed_signals = feed.signals(engine, at)
        if engine.feed.idle or any(signal.tier == "critical" for signal in feed_signals):
            return [*urgent.signals(state.urgent), *feed_signals]  # without data there is no evidence
        reading = readings.read(engine.ledger.tick_counters.drain(), self._rows.of, baseline.lines)
        preset_signals = presets.signals(engine) if self._changes.learning else []
        engine.judge.arrivals_trend = self._state.watch.traffic.trend(baseline, at)
        self._changes.step(reading, at, down=any(signal.tier == "critical" for signal in preset_signals))
        return [
            *urgent.signals(state.urgent),
            *feed_signals,
            *self._stuck(engine, at),
            *capacity.signals(engine, at),
            *(preset_signals if self._changes.evidence is None else self._alarms(engine, at)),
            *runaway.signals(state.runaway, reading.dearest, baseline, at),
            *state.intents.step(reading.parts.get("ended"), baseline.keys, baseline, at),
        ]

    def _stuck(self, engine: Engine, at: float) -> list[Signal]:
        state = self._state
        found = waiting.signals(engine, at, state.stuck_in)
        if found:
            state.stuck_in, state.stuck_at = found[0].where, at
        elif at - state.stuck_at > waiting.KEEP_S:
            state.stuck_in = ()
        return found

    def urgent(self, engine: Engine, at: float) -> list[Signal]:  # noqa: ARG002 - one signature for all detectors
        """Signals of urgent events since the last heartbeat."""
        new = engine.ledger.tick_counters.take_urgent()
        self._state.urgent += new
        return urgent.signals(new)

    def learning_s(self, engine: Engine, at: float) -> float:  # noqa: ARG002
        """Seconds until the baseline is learned; 0 once it is."""
        if self._changes.evidence is not None or self.baseline.lines:
            return 0.0
        return max(MARK_S, LEARN_S - self._state.watch.hour.seconds - self.baseline.healthy_s)

    def dump(self) -> bytes:
        """The state, for a checkpoint."""
        return array_codec.encode(self._state)

    def load(self, state: bytes) -> None:
        """Restore from a checkpoint. Raises msgspec.DecodeError."""
        self._reset(array_codec.decode(state, DetectorSetState))

    # -- words --------------------------------------------------------------------------------------------------

    def _alarms(self, engine: Engine, at: float) -> list[Signal]:
        evidence = self._changes.evidence
        assert evidence is not None
        by_name = {stream.name: stream for stream in evidence.weights.streams}
        on = [(alarm, by_name[alarm.stream]) for alarm in self._state.watch.alarms if alarm.stream in by_name]
        counted = Counted(self._state.watch.recent, engine.ledger, self.baseline.lines)
        for alarm, stream in on:
            if not known(alarm.began):
                date(alarm, stream, engine.markers, evidence, estimated(alarm, stream, evidence, counted, at))
        return [
            signal_of(alarm, stream, engine, blame(alarm, stream, engine.markers, evidence), self.baseline)
            for alarm, stream in on
        ]
