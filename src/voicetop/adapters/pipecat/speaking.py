"""The agent of a Pipecat call speaks: which audio is the reply, and what was really said. Pure.

Pipecat's frame for "the agent started speaking" says less than it seems to: the rest of an interrupted answer starts it
too, and then the reply that follows has none of its own; a backchannel ("mm-hmm") starts it and is no reply. So each
piece of speech is known by its TTS context: when its synthesis began, and when its audio left.

Text counts as said when the output has passed it on, after its audio. What a model wrote may never be spoken: it is
only used if the pipeline has no such texts.
"""

from __future__ import annotations

from collections.abc import Callable

from voicetop.adapters.event_buffer import EventBuffer
from voicetop.adapters.pipecat.services import Services
from voicetop.adapters.turns import Turns
from voicetop.formatting.numbers import known
from voicetop.wire.events import NAN, Interruption, Latency

MAX_CONTEXTS = 50
COLLISION_S = 0.2
"""Who begins to speak so long after the other interrupts; closer together, both began at once."""
MAX_PARTS = 1_000
"""Pieces of text in one answer: words or sentences."""


class Speaking:
    """The agent's side of one call."""

    def __init__(self, buffer: EventBuffer, turns: Turns, services: Services) -> None:
        self.since = NAN
        """Since when the agent has been speaking, backchannels included."""
        self.caller_spoke_since: Callable[[], float] = lambda: NAN
        self.caller_wants_floor: Callable[[float], bool] = lambda _at: True
        self.breakdown: tuple[float, Latency] | None = None
        self._buffer = buffer
        self._turns = turns
        self._services = services
        self._begun: dict[str, float] = {}
        self._last_begun = NAN
        self._backchannels: dict[str, float] = {}
        self._context: str | None = None
        self._in_backchannel = False
        self._is_intruding = False
        """What it says now is no answer: the caller has the floor."""
        self._was_interrupted = False
        self._interrupted_at = NAN
        self._said: list[str] = []
        self._said_first: list[str] = []
        """Words of a reply that were passed on just before its audio."""
        self._saying = ""
        self._has_audio = self._tells_audio = False
        """Audio has left since the text before; it does in this pipeline."""
        self._tells_words = False
        """The output tells each word as it begins, so a sentence that is announced hasn't been said in part."""
        self._has_said = False
        self._has_announced = False
        self._is_amendable = False

    @property
    def is_talking(self) -> bool:
        """It says something that a caller could interrupt."""
        return known(self.since) and not self._in_backchannel

    # Text on its way to the caller.

    def wrote(self, text: str) -> None:
        """A model wrote this, or the application wants it said."""
        if not self._has_announced:
            self._expect(text)

    def announced(self, at: float, text: str, context: str, *, backchannel: bool) -> None:
        """The TTS is about to speak this."""
        if backchannel:
            _remember(self._backchannels, context, at)
            return
        if not self._has_announced:
            expected = self._turns.waiting.agent_texts if self._turns.waiting else self._said
            expected.clear()
        self._has_announced = True
        self._expect(f"{text} ")

    def _expect(self, text: str) -> None:
        turn = self._turns.waiting
        if turn is not None:
            if len(turn.agent_texts) < MAX_PARTS:
                turn.agent_texts.append(text)
        elif not self._has_said and self._turns.answered:
            self._say(text)

    def saying(self, text: str, context: str = "") -> None:
        """The audio of this leaves from now on."""
        self._trust_output()
        if self._begun.get(context, NAN) < self._interrupted_at:
            return
        self._say_rest()
        self._saying = "" if self._tells_words else text

    def said(
        self, text: str, *, spaced: bool, backchannel: bool, context: str = "", timed: bool = False
    ) -> None:
        """The audio of this has left. `spaced`: it contains its own spaces; `timed`: it is told as it begins."""
        self._trust_output()
        if not backchannel:
            is_failed = text.strip() == self._saying.strip() and not timed and self._was_silent()
            self._saying, self._has_audio, self._tells_words = "", False, timed
            if is_failed:
                return
        if backchannel or self._is_intruding or self._begun.get(context, NAN) < self._interrupted_at:
            return  # no answer, or words of one that was cut off, whose audio never leaves
        turn = self._turns.waiting
        if turn is not None and self._begun.get(context, NAN) >= turn.since:
            self._said_first.append(text if spaced else f"{text} ")
        else:
            self._say(text if spaced else f"{text} ")

    def _trust_output(self) -> None:
        """The output tells what has been said; what was expected doesn't count."""
        if not self._has_said:
            self._has_said, self._said = True, []

    def _say(self, text: str) -> None:
        if len(self._said) < MAX_PARTS:
            self._said.append(text)
            self._is_amendable = True

    # Audio.

    def is_backchannel(self, context: str) -> bool:
        """Whether this context is "mm-hmm", not an answer."""
        return context in self._backchannels

    def synthesize(self, at: float, context: str) -> None:
        """The TTS begins with a context."""
        self._last_begun = at
        _remember(self._begun, context, at)

    def play(self, _at: float, context: str) -> None:
        """The audio of this context is the next to leave."""
        self._context = context
        if self._in_backchannel and not self.is_backchannel(context):
            self._in_backchannel = False

    def start(self, at: float) -> None:
        """The output reports that the agent started speaking."""
        if self._is_cut_off():
            self.breakdown = None
            return
        self.since = at
        self._was_interrupted = False
        self._in_backchannel = self._context is not None and self.is_backchannel(self._context)
        if self._in_backchannel:
            return
        self._is_intruding = at - self.caller_spoke_since() > COLLISION_S
        if self._is_intruding:
            self._was_interrupted = True
            self._interrupted(at, "agent")
        if self._is_old():
            self.breakdown = None
        else:
            self._reply(at)

    def hear(self, at: float) -> None:
        """Audio has left. It is the reply if it belongs to one that no start was reported for."""
        self._has_audio = self._tells_audio = True
        if self._turns.waiting is None or self._context is None or self._in_backchannel:
            return
        if not self._is_cut_off() and not self._is_old():
            self.since = at
            self._was_interrupted = False
            self.breakdown = None
            self._reply(at)

    def stop(self, _at: float) -> None:
        """The agent stopped speaking."""
        self.since = NAN
        self._in_backchannel = False
        self._say_rest()
        self._is_intruding = False
        self.amend()

    def _say_rest(self) -> None:
        """Another text begins, or it stops in the middle of one: that has been said, at least in part."""
        if self._saying:
            self.said(self._saying, spaced=False, backchannel=False)

    def _was_silent(self) -> bool:
        """Nothing was heard of what is being said."""
        return self._tells_audio and not self._has_audio

    def interrupt(self, at: float) -> None:
        """Pipecat interrupts itself on every user turn; a barge-in is one while the agent speaks, once per speech."""
        self._interrupted_at = at
        self._said_first = []
        if not self.is_talking or self._was_interrupted:
            return
        is_by_agent = self.since - self.caller_spoke_since() > COLLISION_S
        if is_by_agent:
            self._interrupted(at, "agent")
        elif self.caller_wants_floor(at):
            self._interrupted(at, "user", max(0.0, round((at - self.since) * 1000.0, 3)))
        else:
            self._say_rest()  # the application stops its own agent
            return
        self._was_interrupted = True
        self._say_rest()
        self._turns.amend(agent_text="".join(self._said), interrupted=True)

    def backchannel(self, at: float) -> None:
        """The caller said "mhm" while the agent spoke."""
        self._interrupted(at, "user", backchannel=True)

    def amend(self) -> None:
        """Tell what has been said since the turn was told, unless the agent is still speaking."""
        if self._is_amendable and not known(self.since):
            self._is_amendable = False
            self._turns.amend(agent_text="".join(self._said))

    def _reply(self, at: float) -> None:
        if self._turns.waiting:
            self._is_intruding = False
            self.amend()
            self._said = self._said_first if self._has_said else list(self._turns.waiting.agent_texts)
            self._said_first = []
        self._turns.reply(at, self.breakdown)
        self.breakdown = None
        self._services.release()

    def _begun_at(self) -> float:
        """When the synthesis of what leaves now began, NaN if the pipeline doesn't tell."""
        return self._last_begun if self._context is None else self._begun.get(self._context, NAN)

    def _is_cut_off(self) -> bool:
        """What leaves now is the rest of an answer that was interrupted."""
        return self._begun_at() < self._interrupted_at

    def _is_old(self) -> bool:
        """What leaves now was on its way before the caller began to wait: it isn't the reply."""
        turn = self._turns.waiting
        return turn is not None and self._context is not None and self._begun_at() < turn.since

    def _interrupted(self, at: float, by: str, playout_ms: float = NAN, *, backchannel: bool = False) -> None:
        turn = self._buffer.turn
        if self._turns.answered:
            turn = self._turns.answered.turn
        elif self._turns.current:
            turn -= 1
        about = {"turn": max(-1, turn), "by": by, "playout_ms": playout_ms}
        self._buffer.add(Interruption, at, **about, backchannel=backchannel)


def _remember(contexts: dict[str, float], context: str, at: float) -> None:
    contexts[context] = at
    if len(contexts) > MAX_CONTEXTS:
        del contexts[next(iter(contexts))]
