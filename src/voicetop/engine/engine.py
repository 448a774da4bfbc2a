"""The engine: folds batches of events into calls, windows and figures. No I/O and no clock.

`apply` folds the events between two heartbeats, `advance` moves time. Everything time-dependent (windows, skew, lost
calls, normals) changes in `advance` alone, so that the state at a heartbeat is independent of batching, live and in
replay.
"""

from __future__ import annotations

from math import inf
from sys import intern
from typing import Any

from msgspec.structs import force_setattr

from voicetop.engine import frustration, outcomes
from voicetop.engine.calls import Call
from voicetop.engine.config import EngineConfig
from voicetop.engine.event_handlers import HANDLERS
from voicetop.engine.judge.judge import Judge
from voicetop.engine.lifecycle.lost_calls import lost_calls
from voicetop.engine.lifecycle.turn_order import UNCOUNTED, is_new, skip
from voicetop.engine.state import AGAIN_S, EngineState
from voicetop.engine.waiting import Waits
from voicetop.wire.codec import Batch
from voicetop.wire.events import CallEvent, Malformed, Operator, Repaired, Turn

MARK_S = 5
MAX_MARKS = 60
"""Most marks that one heartbeat may pass: after a longer gap, earlier ones are skipped."""
UNTIMED = frozenset({Operator, Malformed, Repaired})
"""Events whose time isn't when something happened at their source: an operator's refers to an earlier time."""


class Engine(EngineState):
    """Folds batches into state. Read it through `views`."""

    def __init__(self, config: EngineConfig | None = None) -> None:
        super().__init__(config)
        self.judge = Judge()

    @property
    def stuck_after_s(self) -> float:
        """From how many seconds of waiting on a caller is stuck: one value for the verdict, panels, rules and alerts.

        Never less than configured, nor than three normal P99 as of the last mark.
        """
        return max(self.config.stuck_after_s, self.judge.long_wait_s)

    @property
    def waits(self) -> Waits:
        """What is known of the waits now."""
        return Waits(self.feed, self.at)

    # -- time ---------------------------------------------------------------------------------------------------

    def advance(self, at: float, *, local: bool = False) -> list[int]:
        """A heartbeat moved time to `at`. Returns the whole 5-second marks that were passed, the last `MAX_MARKS`."""
        at = max(at, self.feed.at)
        self.feed.beat(at, local=local)
        self.ledger.advance(at)
        self.load.beat(at, len(self.roster.live))
        self._decide_abandonment(at)
        mark = int(at // MARK_S)
        passed = list(range(max(self.next_mark, mark - MAX_MARKS + 1), mark + 1))
        self.next_mark = mark + 1
        if passed:
            self._end_lost_calls(at)
            self.feed.compare_calls(self.roster.live.values())
            self.roster.enforce_budget()
            if self.config.verdict and not (self.feed.blind or self.feed.behind_s):
                self._judge()
        return [number * MARK_S for number in passed]

    def _judge(self) -> None:
        """What is wrong at this mark. While nothing is heard, nothing begins and nothing is over."""
        self.judge.step(
            self.ledger, self.roster.live.values(), self.waits, load=self.load,
            stuck_after_s=self.config.stuck_after_s, markers=self.markers, unheard=self.feed.unheard,
        )  # fmt: skip

    def _decide_abandonment(self, at: float) -> None:
        """Count hang-ups as abandoned if their grace time ended without a good outcome."""
        while self.roster.deciding and self.roster.deciding[0][0] <= at:
            _, call_id = self.roster.deciding.pop(0)
            call = self.roster.find(call_id)
            if (
                call is not None
                and not call.live
                and call.abandoned < 0
                and call.ended + self.config.grace_s <= at
            ):
                call.abandoned = int(outcomes.may_be_abandoned(call, self.config))
                self.settle(call)

    def _end_lost_calls(self, at: float) -> None:
        """End calls that timed out, as `lost`."""
        limit = at - self.config.lost_after_s
        quiet = [call for call in self.roster.live.values() if call.seen < limit]
        for call in lost_calls(quiet, self.roster.live.values(), self.feed, at):
            self.end(call, min(call.seen, at), "lost")

    # -- events -------------------------------------------------------------------------------------------------

    def turn_call(self, event: Turn, ts: float, at: float) -> Call:
        """The call of a turn that isn't of a live call: an amendment may come long after its end."""
        call = self.roster.find(event.call_id)
        told_before = call is not None and 0 <= event.turn <= call.turn and event.turn not in call.untold
        return self.call_of(event, ts, at, inf if told_before else AGAIN_S)

    def apply(self, batch: Batch) -> None:
        """Fold events in order; turn measurements are counted at the end, in one batch.

        This loop is the hot path: what nearly every turn needs is inlined.
        """
        turns, calls, unstored = self._uncounted, self._uncounted_calls, self._unstored
        live = self.roster.live.get
        skewed, keep, stored = self.feed.skewed, not self.roster.full, 0
        ts, minute = 0.0, max(batch.at, default=0.0) // 60 * 60
        event: Any  # told apart by its kind below, once for each event
        for event, at in zip(batch.events, batch.at, strict=True):
            ts = min(self.feed.correct(event) if skewed else event.ts, at)
            kind = type(event)
            if kind is Turn:
                call = live(event.call_id) or self.turn_call(event, ts, at)
                turn, e2e = event.turn, event.e2e_ms
                call.seen = at
                if (0 <= turn <= call.turn or ts <= call.numbered_from) and not is_new(self, call, event, ts):
                    continue
                call.turns += 1
                if turn > call.turn and ts > call.numbered_from:
                    if turn > call.turn + 1:
                        skip(call, turn)
                    call.turn = turn
                if turn >= call.turn and e2e == e2e:
                    call.e2e = e2e
                call.replied = max(call.replied, ts)
                if call.wait_since and (
                    turn == call.wait_turn or turn < 0 or (turn > call.wait_turn and ts >= call.wait_since)
                ):
                    if e2e != e2e and event.status not in UNCOUNTED:
                        self.ledger.observe_wait(call, ts, self.feed.waited_s(call, ts) * 1000)
                    if call.wait_since < minute:
                        self.remember_wait(call, ts)
                    call.wait_since, call.stage, call.heard = 0.0, "", ""
                if event.step and event.step != call.step:
                    self.reach(call, event.step, ts)
                if words := event.user_text:
                    before = call.last_words
                    if words[:4] == before[:4] and frustration.repeats(words, before):
                        frustration.count_repeat(call)
                    call.last_words = words
                if e2e > frustration.PATIENCE_MS:
                    frustration.count_wait(call, e2e)
                if event.measured_from and event.measured_from != call.measured_from:
                    call.measured_from = intern(event.measured_from)
                if ts != event.ts:
                    force_setattr(event, "ts", ts)
                if keep or call.errors:
                    call.story.append(event)
                    stored += 1
                else:
                    unstored.append(len(turns))
                turns.append(event)
                calls.append(call)
            else:
                HANDLERS[kind](self, event, ts, at)
        self._finish(batch, ts, stored)

    def _finish(self, batch: Batch, ts: float, stored: int) -> None:
        """Count a batch; `ts` is the time of its last event, `stored` the number of events stored with their calls."""
        self.roster.stored_events += stored
        self.feed.count(batch.events)
        if batch.events:
            self._measure_lag(batch, ts)
        self.count_turns()

    def _measure_lag(self, batch: Batch, ts: float) -> None:
        """Measure the delay of the last event, at `ts`, unless its time is no publisher's."""
        last = len(batch.events) - 1
        if type(batch.events[last]) in UNTIMED:
            others = [n for n, event in enumerate(batch.events) if type(event) not in UNTIMED]
            if not others:
                return
            last = others[-1]
            event = batch.events[last]
            ts = min(event.ts if type(event) is Turn else self.feed.correct(event), batch.at[last])
        event = batch.events[last]
        self.feed.lag = max(0.0, batch.at[last] - ts)
        self.feed.lag_of = event.source if isinstance(event, CallEvent) else None
