"""The caller's turns of one call, and the stage that each one waits for, as events. Pure; for every framework.

    caller speaks ─ falls silent ─────────────── the agent's first audio    turn, ok
                    turn.start: the caller waits ├ speaks again, hangs up   turn, failed | cancelled | no_reply | noise

An adapter reports to `Turns` when the caller speaks, services work and the agent speaks. A turn is released when
the framework decides that the caller has finished; a caller who speaks again before that continues the same turn.
Words that become known after the first audio amend the turn: it is emitted again, as a whole, with the same time.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import astuple, replace

from voicetop.adapters.event_buffer import EventBuffer
from voicetop.formatting.numbers import known
from voicetop.wire.events import NAN, Audio, Latency, Stage, Turn, TurnStart
from voicetop.wire.values import MAX_TEXT

SHORTEST_SPEECH_S = 0.3
E2E_TOLERANCE_MS = 100.0
"""A breakdown belongs to a reply if its sum is this close to the measured response time."""

ROUNDING_MS = 0.05


class UserTurn(Struct):
    """From the caller's first word to the agent's answer.

    `since`: the end of the caller's speech (epoch s); `announced`: turn.start was emitted; `waiting`: the caller waits
    now; `released_at`: when the framework decided that the caller had finished; `replying`: a service works on the
    answer; `is_noise`: nothing was said; `spoke_s`: seconds spoken, without pauses.
    """

    index: int
    since: float = NAN
    measured_from: str = "vad_stop"
    announced: bool = False
    waiting: bool = False
    released_at: float = NAN
    replying: bool = False
    failed: bool = False
    is_noise: bool = False
    user_texts: list[str] = []
    agent_texts: list[str] = []
    spoke_s: float = 0.0
    loudness_dbfs: float = NAN
    opened_at: float = NAN

    @property
    def is_released(self) -> bool:
        return known(self.released_at)

    @property
    def speech_rate_wpm(self) -> float:
        """Words per minute; NaN if too little was said."""
        words = sum(len(text.split()) for text in self.user_texts)
        return round(words / self.spoke_s * 60.0, 1) if words and self.spoke_s > SHORTEST_SPEECH_S else NAN

    @property
    def unanswered_status(self) -> str:
        """The turn's status if no answer came."""
        if self.failed or self.replying:
            return "failed" if self.failed else "cancelled"
        return "noise" if self.is_noise else "no_reply"


class Stages:
    """The stage that the caller waits for: one at a time, though services overlap."""

    def __init__(self, buffer: EventBuffer) -> None:
        self._buffer = buffer
        self.current = ""

    def clear(self) -> None:
        """A new wait begins; the last one's stage no longer matters."""
        self.current = ""

    def enter(self, stage: str, at: float, provider: str = "", model: str = "") -> None:
        """The caller now waits for `stage` only."""
        if self.current != stage:
            self.leave(at)
            self.current = stage
            self._buffer.add(Stage, at, name=stage, state="start", provider=provider, model=model)

    def leave(self, at: float, state: str = "end") -> None:
        """The stage ended, or `failed`."""
        if self.current:
            self._buffer.add(Stage, at, name=self.current, state=state)
        self.current = ""


class Turns:
    """The turns of one call, one at a time, written to `buffer`. Without `texts`, no transcripts."""

    def __init__(self, buffer: EventBuffer, *, texts: bool = True) -> None:
        self.current: UserTurn | None = None
        self.answered: Turn | None = None
        """The last turn that wasn't noise, if it has been answered, as last emitted."""
        self.stages = Stages(buffer)
        self._buffer = buffer
        self._texts = texts

    @property
    def waiting(self) -> UserTurn | None:
        """The turn whose caller is waiting now."""
        return self.current if self.current and self.current.waiting else None

    def open(self) -> UserTurn:
        """The current turn, or the next one."""
        if self.current is None:
            self._buffer.turn += 1
            self.current = UserTurn(self._buffer.turn)
        return self.current

    def wait(self, since: float, measured_from: str, stage: str, stage_since: float = NAN) -> None:
        """The caller waits from `since`, the end of speech, which a detector reports a little later."""
        turn = self.open()
        turn.since, turn.measured_from = since, measured_from
        turn.announced = turn.waiting = True
        self.stages.clear()
        self._buffer.add(TurnStart, since, turn=turn.index)
        self.stages.enter(stage, stage_since if known(stage_since) else since)

    def resume_speech(self, at: float) -> None:
        """The caller hadn't finished: they speak again before the turn was released."""
        if self.waiting:
            self.waiting.waiting = False
            self.stages.enter("vad", at)

    def release(self, at: float) -> None:
        """The framework decided that the caller has finished. Without words, the caller still waits for the STT."""
        turn = self.waiting
        if turn and not turn.is_released:
            turn.released_at = at
            if turn.user_texts or self.stages.current != "stt":
                self.stages.leave(at)

    def work(self, stage: str, at: float, provider: str = "", model: str = "") -> None:
        """A service works on the answer that the caller waits for."""
        if self.waiting:
            self.waiting.replying = True
            self.stages.enter(stage, at, provider, model)

    def fail(self, stage: str, at: float) -> None:
        """That service failed for good."""
        if self.waiting:
            self.waiting.failed = True
            if self.stages.current == stage:
                self.stages.leave(at, "failed")

    def reply(self, at: float, breakdown: tuple[float, Latency] | None = None) -> None:
        """The agent's first audio. `breakdown` is the framework's own: (e2e in ms, its stages as far as it knows)."""
        turn = self.waiting
        if turn is None:
            return
        self.stages.leave(at)
        e2e_ms, latency = round((at - turn.since) * 1000.0, 3), None
        if breakdown and abs(breakdown[0] - e2e_ms) < E2E_TOLERANCE_MS:
            e2e_ms, latency = breakdown
        self._finish(
            turn,
            at,
            "ok",
            agent_text=self._text("".join(turn.agent_texts)),
            e2e_ms=e2e_ms,
            latency=latency,
            additive=latency is not None and abs(_sum_of(latency) - e2e_ms) < ROUNDING_MS,
        )

    def amend(self, *, user_text: str = "", agent_text: str = "", interrupted: bool = False) -> None:
        """Tell more of the last answer; what is left out stays. Emits nothing if nothing changed."""
        was = self.answered
        if was is None:
            return
        now = replace(
            was,
            user_text=self._text(user_text) or was.user_text,
            agent_text=self._text(agent_text) or was.agent_text,
            interrupted=interrupted or was.interrupted,
        )
        told = (was.user_text, was.agent_text, was.interrupted)
        if (now.user_text, now.agent_text, now.interrupted) != told:
            self.answered = now
            self._buffer.events.append(now)

    def abandon(self, at: float, *, over: bool = False) -> None:
        """The turn ends without an answer; one that was never announced ends silently. `over`: so does the call."""
        turn = self.current
        if turn is None:
            return
        self.stages.leave(at)
        if turn.announced:
            status = turn.unanswered_status
            self._finish(turn, at, "no_reply" if over and status == "cancelled" else status)
        self.current = None

    def _finish(self, turn: UserTurn, at: float, status: str, **fields: Any) -> None:
        rate, loudness = turn.speech_rate_wpm, turn.loudness_dbfs
        if known(rate) or known(loudness):
            self._buffer.add(Audio, at, role="user", speech_rate_wpm=rate, loudness_dbfs=loudness)
        if status != "noise":
            self.answered = None
        self._buffer.add(
            Turn,
            at,
            turn=turn.index,
            status=status,
            measured_from=turn.measured_from,
            user_text=self._text(" ".join(turn.user_texts)),
            **fields,
        )
        told = self._buffer.events[-1]
        if status == "ok" and isinstance(told, Turn):
            self.answered = told
        self.current = None

    def _text(self, text: str) -> str:
        return text.strip()[:MAX_TEXT] if self._texts else ""


def _sum_of(latency: Latency) -> float:
    return float(sum(ms for ms in astuple(latency) if known(ms)))
