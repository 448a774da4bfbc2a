"""The caller of a Pipecat call speaks: which speech is a turn, with which words, and which is noise. Pure.

Speech becomes a turn at once while the agent is silent. Over the agent, or while it works on an answer, it may as well
be "mhm" or a cough: it becomes a turn when Pipecat says so. Without voice detection a turn begins with its words, and
the caller waits from the last of them on.

Speech without words: either the STT worked and there were none, so nobody waits, or it has fallen silent, and the
caller does.
"""

from __future__ import annotations

from msgspec import Struct

from voicetop.adapters.event_buffer import EventBuffer
from voicetop.adapters.pipecat.faults import Faults
from voicetop.adapters.pipecat.services import Services
from voicetop.adapters.pipecat.speaking import Speaking
from voicetop.adapters.turns import Turns, UserTurn
from voicetop.formatting.numbers import known
from voicetop.wire.events import NAN, Transcript
from voicetop.wire.values import MAX_TEXT

NO_TRANSCRIPT_S = 5.0
"""A turn that Pipecat released without words, of an STT in doubt, is closed after this: nothing will come of it."""
GIVEN_UP_S = 1.0
"""So long after it if the STT is there and has reported no error."""
REPORT_S = 0.5
"""An STT that has finished with a speech gets this long for its words."""
SHORTEST_PATIENCE_S, LONGEST_PATIENCE_S = 2.0, 4.0
"""An STT that works has had time for its words so long after the speech, in any case or at most."""
SHORT_SPEECH_S = 1.5
"""A cough or a door isn't longer."""
BENEFITS_OF_DOUBT = 2
"""An STT that has announced itself, and no error, is trusted with so many short sounds in a row."""
ASIDE_S = 2.0
"""Speech that Pipecat hasn't made a turn so long after its end won't become one."""
KEY_S = 1.0
"""An interruption so long after a key of the telephone is the caller's."""
INTERIM_S = 0.5
"""Words that may still change are told this often."""
MAX_PARTS = 1_000


class Aside(Struct):
    """Speech that isn't a turn, or not yet. `ended_at`: NaN while they speak; `over_agent`: the agent spoke too."""

    over_agent: bool
    ended_at: float = NAN
    measured_from: str = "vad_stop"
    texts: list[str] = []
    spoke_s: float = 0.0
    loudness_dbfs: float = NAN


class Hearing:
    """The caller's side of one call."""

    def __init__(
        self,
        buffer: EventBuffer,
        turns: Turns,
        speaking: Speaking,
        services: Services,
        faults: Faults,
        *,
        texts: bool,
    ) -> None:
        self.has_turns = False
        """Pipecat reports turns, so speech that it doesn't report as one is none."""
        self.is_muted = False
        """Pipecat ignores what the caller says, by a strategy of the application."""
        self.hears_itself = False
        """The model hears the caller without an STT; transcripts, if any, come after its answer."""
        self.pressed_at = NAN
        self.needs_no_words = False
        """At the end of the last speech the words were there already, or nobody waits for any."""
        self._buffer = buffer
        self._turns = turns
        self._speaking = speaking
        self._services = services
        self._faults = faults
        self._texts = texts
        self._speaking_since = NAN
        self._has_vad = self._has_had_turn = False
        self._aside: Aside | None = None
        self._stt_works = False
        """It had words for the last speech: a turn without words is noise. A second one in a row may be an STT that has
        fallen silent, whose callers wait."""
        self._stt_is_there = False
        self._benefits = 0
        """How many more short sounds without words an STT that has announced itself is trusted with."""
        self._slowest_s = 0.0
        self._reported_at = NAN
        self._noise_since = NAN
        self._heard_at = NAN
        self._interim = ("", NAN)
        self._cut_off: UserTurn | None = None
        """The turn whose answer was dropped because the caller seemed to speak again."""
        self._interim_turn = -1
        """The last turn of which words became known that might still change: it isn't noise."""

    def caller_speaks_since(self) -> float:
        """Since when the caller has had the floor, NaN if they haven't."""
        turn = self._turns.current
        if self._aside is not None and self._aside.over_agent:
            return NAN
        if self._has_vad or turn is None or turn.waiting:
            return self._speaking_since
        return turn.opened_at

    def wants_floor(self, at: float) -> bool:
        """They speak, have a turn that isn't over, or pressed a key. Where nothing would tell, yes."""
        if not self.has_turns or self.hears_itself or at - self.pressed_at < KEY_S:
            return True
        turn = self._turns.current
        has_turn = turn is not None and not turn.is_released
        return has_turn or known(self._speaking_since) or self._aside is not None

    # Voice detection.

    def speech_start(self, at: float, start_secs: float = 0.0) -> None:
        self._has_vad = True
        if known(self._speaking_since) or self.is_muted:
            return  # the copy that was sent the other way, or nothing that Pipecat heeds
        self._speaking_since = at - start_secs
        turn = self._turns.current
        is_aside = self._speaking.is_talking if turn is None else turn.is_released
        if self.has_turns and is_aside:
            self._end_aside()
            self._aside = Aside(self._speaking.is_talking)
        else:
            self._begin(at)

    def speech_stop(self, at: float, stop_secs: float = 0.0, loudness_dbfs: float = NAN) -> None:
        if not known(self._speaking_since):
            return
        ended = at - stop_secs
        speech = self._aside or self._open(at)
        speech.spoke_s += max(0.0, ended - self._speaking_since)
        if known(loudness_dbfs):
            speech.loudness_dbfs = loudness_dbfs
        self._speaking_since = NAN
        if self._aside is None:
            self.needs_no_words = self.hears_itself or self._heard_at > ended
            self._wait(ended, "vad_stop", "eou" if self.needs_no_words else "stt")
        else:
            self._aside.ended_at = ended

    # Pipecat's turns.

    def turn_start(self, at: float) -> None:
        """Pipecat takes what the caller says for a turn."""
        self.has_turns = self._has_had_turn = True
        aside, self._aside = self._aside, None
        if aside is None and self._has_vad:
            return
        turn = self._begin(at)
        if aside is None:
            return
        turn.spoke_s += aside.spoke_s
        turn.loudness_dbfs = aside.loudness_dbfs
        if known(aside.ended_at):
            self._wait(aside.ended_at, aside.measured_from, "eou" if aside.texts else "stt")
        for text in aside.texts:
            self._hear(at, turn, text)

    def turn_stop(self, at: float) -> None:
        """The turn is released: Pipecat decided that the user has finished."""
        self.has_turns = True
        if self._turns.current and not self._turns.waiting and not self._has_vad:
            self._wait(at, "turn_end", "eou")
        self._turns.release(at)

    def work_begins(self, at: float) -> None:
        """A model answers: where Pipecat reports no turns, the caller's words were one."""
        if self._aside is not None and self._aside.texts and not self.has_turns:
            self.turn_start(at)
            self.has_turns = self._has_had_turn = False

    def backchannel(self, at: float) -> None:
        """Pipecat took what the caller says for an acknowledgment."""
        self._aside = None
        if self._speaking.is_talking:
            self._speaking.backchannel(at)
        turn = self._turns.waiting
        if turn and not turn.user_texts and not turn.replying:
            self._reported_at = at
            self.abandon(at)

    # Words.

    def words(self, at: float, text: str, processor: str, *, from_stt: bool = True) -> None:
        """Words that won't change any more."""
        if from_stt:
            self._stt_works = True
            self._benefits = BENEFITS_OF_DOUBT if self._stt_is_there else 0
        if self._are_late():
            self._hear_late(at, text)
        elif not self.is_muted:
            self._hear_now(at, text, processor)

    def _are_late(self) -> bool:
        """Words of a turn that has been answered without them, or whose audio the model has heard by itself."""
        if self.hears_itself:
            return self._has_vad or self._has_had_turn or self._speaking.is_talking
        is_between = self._turns.current is None and self._aside is None and not known(self._noise_since)
        return is_between and self._turns.answered is not None and not self._turns.answered.user_text

    def _hear_late(self, at: float, text: str) -> None:
        turn, answered = self._turns.current, self._turns.answered
        if answered and not (turn and turn.is_released):
            self._tell(at, text, answered.turn)
            self._turns.amend(user_text=f"{answered.user_text} {text}".strip())
        elif turn:
            self._hear(at, turn, text)

    def _hear_now(self, at: float, text: str, processor: str) -> None:
        self._recall_noise(at)
        turn = self._turns.current
        if self._aside is not None:
            self._hear_aside(at, text)
        elif turn is not None and (self._has_vad or not turn.is_released):
            self._hear_in_turn(at, turn, text, processor)
        elif turn is None and not self._has_vad and not self._speaking.is_talking:
            turn = self._begin(at)
            self._wait(at, "transcript", "eou")
            self._hear(at, turn, text)
        else:
            self._aside = Aside(self._speaking.is_talking)
            self._hear_aside(at, text)

    def no_words(self, at: float) -> None:
        """The STT says that there was nothing in what it heard."""
        self._interim_turn = -1
        self.stt_finished(at)

    def interim_words(self, at: float, text: str) -> None:
        """Words that may still change."""
        if self.is_muted or self.hears_itself:
            return
        turn = self._turns.waiting
        if turn and not self._has_vad and not turn.is_released:
            self._turns.resume_speech(at)
        index = self._turns.current.index if self._turns.current else self._buffer.turn + 1
        told, told_at = self._interim if index == self._interim_turn else ("", NAN)
        if self._aside is not None or text == told or at - told_at < INTERIM_S:
            return
        if self._turns.current or not self._speaking.is_talking:
            self._interim, self._interim_turn = (text, at), index
            self._tell(at, text, index, final=False)

    def _hear_aside(self, at: float, text: str) -> None:
        aside = self._aside
        if aside is None or len(aside.texts) >= MAX_PARTS:
            return
        aside.texts.append(text)
        if not known(aside.ended_at) and not known(self._speaking_since):
            aside.ended_at, aside.measured_from = at, "transcript"

    def _hear_in_turn(self, at: float, turn: UserTurn, text: str, processor: str) -> None:
        if not self._has_vad and not turn.replying:
            self._wait(at, "transcript", "eou")
        if turn.waiting and self._turns.stages.current == "stt":
            self._slowest_s = max(self._slowest_s, at - turn.since)
            self._services.record_answer(at, "stt", processor, "", at - turn.since)
            self._turns.stages.enter("eou", at)
        self._hear(at, turn, text)

    def _hear(self, at: float, turn: UserTurn, text: str) -> None:
        self._heard_at = at
        if len(turn.user_texts) < MAX_PARTS:
            turn.user_texts.append(text)
            self._tell(at, text, turn.index)

    def _tell(self, at: float, text: str, turn: int, *, final: bool = True) -> None:
        if self._texts:
            self._buffer.add(Transcript, at, turn=turn, role="user", text=text[:MAX_TEXT], final=final)

    def _recall_noise(self, _at: float) -> None:
        """Words came after all for what was taken for noise: the caller has been waiting since that speech."""
        if self._turns.current is None and self._aside is None and known(self._noise_since):
            self._wait(self._noise_since, "vad_stop", "eou")
        self._noise_since = NAN

    # Turns.

    def _begin(self, at: float) -> UserTurn:
        """The caller's turn: the current one, or the next if that one is being answered."""
        unanswered = self._turns.current
        if unanswered and unanswered.is_released:
            self.abandon(at, spoke_again=True)
            if unanswered.user_texts and not unanswered.failed:
                self._open(at)
                self._cut_off = unanswered
        self._noise_since = NAN
        if self._has_vad:
            self._turns.resume_speech(at)
        return self._open(at)

    def _open(self, at: float) -> UserTurn:
        if self._turns.current is None:
            self._faults.begin_turn()
            self._cut_off = None
            self._turns.open().opened_at = at
        return self._turns.open()

    def _wait(self, since: float, measured_from: str, stage: str) -> None:
        self._open(since)
        self._speaking.breakdown = None
        self._reported_at = NAN
        self._turns.wait(since, measured_from, stage)

    def _wait_on(self, at: float, unanswered: UserTurn, released_at: float) -> None:
        """It was noise that made Pipecat drop the answer: the caller still waits for it, since their words."""
        turn = self._open(at)
        turn.user_texts, turn.released_at = list(unanswered.user_texts), released_at
        self._noise_since = NAN
        self._speaking.breakdown = None
        stage = "" if turn.is_released else "eou"
        self._turns.wait(unanswered.since, unanswered.measured_from, stage, stage_since=at)

    def abandon(self, at: float, *, spoke_again: bool = False, over: bool = False) -> None:
        """The turn ends without an answer, as the caller `spoke_again` or the call is `over`."""
        turn = self._turns.current
        if turn is None:
            return
        if not turn.user_texts:
            has_reported = known(self._reported_at)
            has_interim = turn.index == self._interim_turn
            has_answer_due = self.hears_itself and turn.is_released
            is_silent = spoke_again or self._stt_works or has_reported or self.hears_itself
            turn.is_noise = is_silent and not has_interim and not has_answer_due
            self._noise_since = turn.since if turn.is_noise else NAN
            self._stt_works &= has_reported
            self._benefits -= not has_reported
        unanswered = self._cut_off if turn.is_noise and not spoke_again else None
        self._turns.abandon(at, over=over)
        if unanswered:
            self._wait_on(at, unanswered, turn.released_at)
            if over:
                self._turns.abandon(at, over=True)
        self._services.release()

    # The STT.

    def stt_is_there(self, seconds: float) -> None:
        """An STT announced itself, and how long it usually takes for its words."""
        self._stt_is_there, self._benefits = True, BENEFITS_OF_DOUBT
        self._slowest_s = max(self._slowest_s, seconds)

    def stt_finished(self, at: float) -> None:
        """The STT reports that it has finished with what it heard."""
        turn = self._turns.waiting
        if turn and not known(self._speaking_since):
            self._reported_at = at

    def stt_failed(self) -> None:
        self._stt_works, self._stt_is_there, self._benefits = False, False, 0
        self._reported_at = NAN

    def tick(self, at: float) -> None:
        """Only time has passed."""
        aside = self._aside
        if aside is not None and at - aside.ended_at > ASIDE_S:
            self._end_aside()
        turn = self._turns.waiting
        if turn and not turn.user_texts and not turn.replying and at > self._given_up_at(turn):
            self.abandon(at)

    def _given_up_at(self, turn: UserTurn) -> float:
        """When it is certain that this speech had no words, or that no reply comes; infinity if it isn't known yet."""
        if self.hears_itself:
            return turn.since + LONGEST_PATIENCE_S
        if turn.index == self._interim_turn:
            return turn.released_at + GIVEN_UP_S if turn.is_released else float("inf")
        if known(self._reported_at):
            return self._reported_at + REPORT_S
        if self._benefits > 0 and turn.spoke_s < SHORT_SPEECH_S:
            self._stt_works = True
        if self._stt_works:
            patience = 1.0 + 2.0 * self._slowest_s
            return turn.since + max(SHORTEST_PATIENCE_S, min(patience, LONGEST_PATIENCE_S))
        patience = GIVEN_UP_S if self._stt_is_there else NO_TRANSCRIPT_S
        return turn.released_at + patience if turn.is_released else float("inf")

    def _end_aside(self) -> None:
        """It didn't become a turn: without words it was noise, else an acknowledgment, or words that came late."""
        aside, self._aside = self._aside, None
        if aside is None or not aside.texts:
            return
        answered = self._turns.answered
        if answered and self._has_vad and aside.measured_from == "transcript":
            self._turns.amend(user_text=" ".join([answered.user_text, *aside.texts]))
        elif aside.over_agent:
            self._speaking.backchannel(aside.ended_at)
