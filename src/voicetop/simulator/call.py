"""One simulated call: what its caller and its agent do, turn by turn, as events of the feed.

All events of a turn are made when its caller stops speaking, with their times ahead; the result also says when the
next turn begins or the call ends. Nothing in here looks at a clock.
"""

from __future__ import annotations

from voicetop.simulator.call_state import CallState
from voicetop.simulator.detail import Detail
from voicetop.simulator.ending import CallEnding, after_reply, evaluate, hung_up_waiting
from voicetop.simulator.incidents import Effects
from voicetop.simulator.reply import LLM_OVERLOADED, Failure, Reply
from voicetop.wire.events import CallStart, Event

_INTENT_KNOWN_AT = 2
_TIER_KNOWN_AT = 3
_TOKENS_BASE = 1300
_TOKENS_A_TURN = 330
_SLOW_MS = 2500.0
_PATIENCE_S = 14.0


class SimulatedCall(CallState):
    """A live call, played turn by turn."""

    __slots__ = ()

    # -- start

    def announcement(self) -> CallStart:
        """call.start: sent once, and again to a hub that has forgotten it."""
        return CallStart(
            ts=self.started,
            event_id=f"{self.id}-0",
            source=self.source,
            call_id=self.id,
            direction=self.direction,
            platform="pipecat",
            caller=self.caller,
            agent=self.kind.agent,
            segments=self.kind.known_segments(intent=self.intent_known, tier=self.tier_known),
        )

    def begin(self) -> tuple[list[Event], float]:
        """The agent greets, the caller says why they call: the events, and when the caller stops speaking."""
        events: list[Event] = [self.announcement(), self._enter_step(self.started, "greeting")]
        return events, self.after(self.started, 4.0 + self._speaking_s(self.next_text))

    def join(self, index: int, since: float) -> list[Event]:
        """Start in mid-call, after `index` turns without events; `since` is when the current step began."""
        self.index = index
        self.intent_known |= index >= _INTENT_KNOWN_AT
        self.tier_known |= index >= _TIER_KNOWN_AT
        self.tokens = _TOKENS_BASE * index + _TOKENS_A_TURN * (index * (index - 1) // 2)
        self.tokens_out, self.characters = 45 * index, 60 * index
        events: list[Event] = [
            self.announcement(),
            self._enter_step(max(since, self.started), self.plan[index]),
        ]
        if self.detail.usage_by_turn and index:
            events.append(self.llm_usage(events[-1].ts, self.tokens, self.tokens_out))
        self.next_text = self._pick_user_text()
        return events

    def set_detail(self, detail: Detail, t: float) -> list[Event]:
        """Emit in this detail from now on; returns the model's usage so far if usage now goes by turn."""
        by_turn = detail.usage_by_turn and not self.detail.usage_by_turn
        self.draw_detail(detail)
        return [self.llm_usage(t, self.tokens, self.tokens_out)] if by_turn and self.tokens else []

    # -- turns

    def turn(self, t: float, effects: Effects) -> tuple[list[Event], float, CallEnding | None]:
        """The caller stopped speaking at `t`: the events, when the next turn is due, or how the call ends."""
        dice = self.settings.dice
        step = self.plan[self.index]
        reply = Reply(step, self.kind, effects, self.settings.climate, dice)
        events = self._open_turn(t, step, effects)
        self._run_stages(events, t, reply)
        wait = reply.wait / 1000.0
        patience = dice.lognormal(_PATIENCE_S, 0.45)
        if patience < wait:
            left_at = round(t + patience, 3)
            return [event for event in events if event.ts <= left_at], left_at, hung_up_waiting(left_at)
        replied_at = round(t + wait, 3)
        answer = self._complete_turn(events, replied_at, step, reply, effects)
        self._update_frustration(reply)
        listened = self._playout_s(events, replied_at, answer, reply, effects)
        ending = after_reply(self, step, reply, effects, replied_at, spoken=self.after(replied_at, listened))
        if ending is not None:
            return [event for event in events if event.ts <= ending.at], ending.at, ending
        return events, self._next_turn_at(replied_at, listened, reply), None

    def _open_turn(self, t: float, step: str, effects: Effects) -> list[Event]:
        """The events before the agent starts: a new step, segments that became known, the wait, the utterance."""
        events: list[Event] = []
        if step != self.step:
            new_step = self._enter_step(t, step)
            if self.detail.steps:
                events.append(new_step)
        if not self.intent_known and self.index >= _INTENT_KNOWN_AT:
            self.intent_known = True
            events.append(self.update(t, {"intent": self.kind.segments["intent"]}))
        if not self.tier_known and self.index >= _TIER_KNOWN_AT:
            self.tier_known = True
            events.append(self.update(t, {"tier": self.kind.segments["tier"]}))
        if self.detail.waits:
            events.append(self.waiting(t))
        if self.audio:
            normal, agitation = self.settings.dice.normal, effects.agitation + self.frustration
            pace = self.pace * (1.0 + 0.06 * normal() + 0.16 * agitation)
            events.append(self.utterance(t, pace, self.loudness + 1.1 * normal() + 4.0 * agitation))
        return events

    def _run_stages(self, events: list[Event], t: float, reply: Reply) -> None:
        """The stages of the reply up to where it fails, and the errors of a failure."""
        transcribed = t + (reply.vad + reply.stt + reply.eou) / 1000.0
        generated = transcribed + reply.llm / 1000.0
        tools_done = generated + reply.tool / 1000.0
        failure = reply.failure
        failing = failure.component if failure else ""
        if self.texts and self.detail.waits and failing != "stt":
            events.append(self.words(transcribed, self.next_text))
        if self.stages:
            self._stage(events, "stt", t, transcribed, failed=failing == "stt")
            self._stage(events, "llm", transcribed, generated, failed=failing == "llm")
        if reply.llm_waste:
            events.append(
                self.error(transcribed + reply.llm_waste / 1000.0, LLM_OVERLOADED, final=False, retry_count=1)
            )
        if failing == "llm" and failure:
            self._fail_llm(events, transcribed, reply.llm / 1000.0, failure)
            return
        if reply.tools:
            self._use_tools(events, generated, reply, failed=failing == "tool")
        if self.stages:
            self._stage(events, "tts", tools_done, tools_done + reply.tts / 1000.0, failed=failing == "tts")
        if failure:
            at = {"stt": transcribed, "tool": tools_done}.get(failing, tools_done + reply.tts / 1000.0)
            events.append(self.error(at, failure, final=True))

    def _fail_llm(self, events: list[Event], begin: float, lasted: float, failure: Failure) -> None:
        """A refused request is tried three times; one that hangs is given up at its timeout."""
        tries = 1 if failure.silent else 3
        events += [
            self.error(begin + attempt * lasted / tries, failure, final=False, retry_count=attempt)
            for attempt in range(1, tries)
        ]
        events.append(self.error(begin + lasted, failure, final=True, retry_count=tries - 1))

    def _stage(self, events: list[Event], name: str, begin: float, end: float, *, failed: bool) -> None:
        events.append(self.stage(begin, name, "start"))
        events.append(self.stage(end, name, "failed" if failed else "end"))

    def _use_tools(self, events: list[Event], begin: float, reply: Reply, *, failed: bool) -> None:
        name = self.kind.intent.tool_name
        each = reply.tool // reply.tools
        for number in range(reply.tools):
            start = begin + number * each / 1000.0
            end = start + each / 1000.0
            broken = failed and number == reply.tools - 1
            if self.detail.tool_starts:
                events.append(self.tool_start(start, name))
            events.append(self.tool_end(end, name, each, failed=broken))
            if self.stages:
                self._stage(events, "tool", start, end, failed=broken)

    def _complete_turn(
        self, events: list[Event], replied_at: float, step: str, reply: Reply, effects: Effects
    ) -> str:
        """The turn's own event and its usage; returns what the agent says, empty if its voice failed."""
        user_text = self.next_text if self.texts else ""
        if reply.silent:
            events.append(self.failed_reply(replied_at, step, user_text))
            return ""
        answer = self._pick_agent_text(step, reply.failure)
        confidence = min(0.99, max(0.4, 0.93 - 0.05 * self.settings.dice.normal() ** 2))
        events.append(
            self.reply(
                replied_at, step, reply, user_text, answer if self.texts else "", confidence=confidence
            )
        )
        grown = _TOKENS_BASE + _TOKENS_A_TURN * self.index
        tokens = int(grown * effects.tokens * (1.0 + 0.25 * reply.tools))
        tokens_out = 25 + len(answer) // 3
        self.tokens += tokens
        self.tokens_out += tokens_out
        self.characters += len(answer)
        if self.detail.usage_by_turn:
            events.append(self.llm_usage(replied_at, tokens, tokens_out, self.index))
        return answer

    def _update_frustration(self, reply: Reply) -> None:
        """Failures and long waits raise it; it decays slowly."""
        self.frustration *= 0.9
        self.failed = self.failed + 1 if reply.silent else 0
        if reply.failure is not None:
            self.errors += 1
            self.frustration += 0.45
        if not reply.silent and reply.e2e > _SLOW_MS:
            self.slow += 1
            self.frustration += 0.2

    def _playout_s(
        self, events: list[Event], replied_at: float, answer: str, reply: Reply, effects: Effects
    ) -> float:
        """Seconds that the agent gets to speak; emits an interruption if it is cut short."""
        dice = self.settings.dice
        lasts = len(answer) / 9.5
        slow = reply.e2e > _SLOW_MS
        chance = 0.04 + 0.04 * slow + 0.05 * (self.frustration + effects.agitation) + effects.interrupt
        if reply.silent or dice.uniform() >= chance:
            return lasts
        playout = lasts * dice.between(0.15, 0.85)
        backchannel = dice.uniform() < 0.2
        at = self.after(replied_at, playout)
        events.append(self.interruption(at, playout * 1000.0 // self.settings.speed, backchannel=backchannel))
        return lasts if backchannel else playout

    def _next_turn_at(self, replied_at: float, listened: float, reply: Reply) -> float:
        """When the caller will have spoken again: the next turn. Without an answer, callers repeat themselves."""
        dice = self.settings.dice
        self.index += 1
        if reply.silent:
            self.plan = (*self.plan[: self.index], self.step, *self.plan[self.index :])
            if dice.uniform() < 0.4:
                self.next_text = dice.choose(self.kind.book.again)
        else:
            self.next_text = self._pick_user_text()
        thinking = 1.5 if reply.silent else dice.lognormal(4.6, 0.6)
        return self.after(replied_at, listened + thinking + self._speaking_s(self.next_text))

    # -- end

    def close(self, ending: CallEnding, effects: Effects) -> list[Event]:
        """The events at the end of the call, with the evaluator's outcome."""
        at = ending.at
        lasted = at - self.started
        events: list[Event] = []
        if ending.reason == "transferred":
            events.append(self.update(round(max(at - 2.0, ending.decided), 3), {}, "transferring"))
        if not self.detail.usage_by_turn and self.tokens:
            events.append(self.llm_usage(at, self.tokens, self.tokens_out))
        events += [
            self.tts_usage(at, self.characters),
            self.stt_usage(at, lasted),
            self.end(at, ending.reason, ending.party, self.step, lasted),
        ]
        outcome = evaluate(self, ending, effects)
        if outcome is not None:
            events.append(outcome)
        return events

    # -- parts

    def _speaking_s(self, text: str) -> float:
        return 0.8 + len(text) / 8.0

    def _enter_step(self, ts: float, step: str) -> Event:
        before, self.step = self.step, step
        return self.step_event(ts, step, before)

    def _pick_user_text(self) -> str:
        step, book = self.plan[self.index], self.kind.book
        if step == "greeting":
            return self.settings.dice.choose(book.openings[self.kind.segments["intent"]])
        return self.settings.dice.choose(book.caller[step])

    def _pick_agent_text(self, step: str, failure: Failure | None) -> str:
        book = self.kind.book
        if failure is not None:
            return self.settings.dice.choose(book.unheard if failure.component == "stt" else book.unavailable)
        lines = book.answers[self.kind.segments["intent"]] if step == "resolve" else book.agent[step]
        return self.settings.dice.choose(lines)
