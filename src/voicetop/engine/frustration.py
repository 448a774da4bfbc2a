"""Caller frustration, 0 to 1, from five signals that can be verified by listening.

Each signal runs from 0 to 1; the score is their weighted mean over the signals available, so that a feed without audio
features scores from fewer signals, shown as "3/5". The weights are a judgment, not a fit: behaviour (repeats,
interruptions) weighs more than sound.

    faster     speech rate relative to the caller's initial rate: +40 % is 1
    louder     loudness relative to the caller's initial loudness: +9 dB is 1
    interrupts barge-ins per turn, without false ones and backchannels: one in two turns is 1
    repeats    repetitions of nearly the same words: two is 1
    waiting    time beyond 2.5 s per turn, summed: 12 s is 1; includes a wait in progress
"""

from __future__ import annotations

from voicetop.engine.calls import Call, VoiceLevels
from voicetop.wire.events import NAN

FRUSTRATED = 0.5
PATIENCE_MS = 2_500.0
WEIGHTS = {"interrupts": 0.20, "repeats": 0.25, "waiting": 0.20, "faster": 0.15, "louder": 0.20}
_INTERRUPTS, _REPEATS, _WAITING, _FASTER, _LOUDER = WEIGHTS.values()
_ALWAYS = _INTERRUPTS + _REPEATS + _WAITING


def signals(call: Call, waited_s: float = 0.0) -> dict[str, float]:
    """The call's known signals, each 0 to 1; including a wait in progress, of `waited_s` so far."""
    return {
        name: value for name, value in zip(WEIGHTS, _signals(call, waited_s), strict=True) if value == value
    }


def _signals(call: Call, waited_s: float) -> tuple[float, float, float, float, float]:
    """All signals in the order of `WEIGHTS`; NaN if unknown."""
    faster = louder = NAN
    voice = call.voice
    if voice is not None and voice.told >= 2:
        if voice.rate_start > 0 and voice.rate_now == voice.rate_now:
            faster = min(1.0, max(0.0, (voice.rate_now / voice.rate_start - 1) / 0.4))
        if voice.loud_now == voice.loud_now and voice.loud_start == voice.loud_start:
            louder = min(1.0, max(0.0, (voice.loud_now - voice.loud_start) / 9))
    return (
        min(1.0, 2 * call.barge_ins / max(4, call.turns)),
        min(1.0, call.repeats / 2),
        min(1.0, (call.slow_ms + _beyond_patience_ms(waited_s)) / 12_000),
        faster,
        louder,
    )


def _beyond_patience_ms(waited_s: float) -> float:
    return max(0.0, waited_s * 1000 - PATIENCE_MS)


def current_score(call: Call, waited_s: float) -> float:
    """The score, including a wait in progress, of `waited_s` so far."""
    return score(call, waited_s)[0] if waited_s else call.mood


def score(call: Call, waited_s: float = 0.0) -> tuple[float, int]:
    """(frustration 0–1 to a thousandth, number of signals known)."""
    interrupts, repeated, waiting, faster, louder = _signals(call, waited_s)
    total = _INTERRUPTS * interrupts + _REPEATS * repeated + _WAITING * waiting
    weight, signal_count = _ALWAYS, 3
    if faster == faster:
        total, weight, signal_count = total + _FASTER * faster, weight + _FASTER, signal_count + 1
    if louder == louder:
        total, weight, signal_count = total + _LOUDER * louder, weight + _LOUDER, signal_count + 1
    return round(1000 * total / weight) / 1000, signal_count


def update(call: Call) -> None:
    """Recompute the call's score."""
    call.mood, call.mood_of = score(call)


def count_repeat(call: Call) -> None:
    """Count a repetition by the caller."""
    call.repeats += 1
    update(call)


def count_wait(call: Call, e2e_ms: float) -> None:
    """Count a wait beyond `PATIENCE_MS`."""
    call.slow_ms += e2e_ms - PATIENCE_MS
    update(call)


def correct_wait(call: Call, before_ms: float, after_ms: float) -> None:
    """A wait that was counted turns out to have been another; NaN is none."""
    call.slow_ms += _beyond_patience_ms(_s(after_ms)) - _beyond_patience_ms(_s(before_ms))
    update(call)


def _s(ms: float) -> float:
    return ms / 1000 if ms == ms else 0.0


def end_wait(call: Call, waited_s: float) -> None:
    """Count a wait of `waited_s` when the call ends."""
    call.slow_ms += _beyond_patience_ms(waited_s)
    update(call)


def add_utterance(voice: VoiceLevels, rate: float, loudness: float) -> None:
    """Add one utterance of the caller: the first two define the initial level, later ones the current one."""
    voice.told += 1
    start = voice.told <= 2
    if rate == rate:
        voice.rate_start = _drift(voice.rate_start, rate, 0.5) if start else voice.rate_start
        voice.rate_now = _drift(voice.rate_now, rate, 0.4)
    if loudness == loudness:
        voice.loud_start = _drift(voice.loud_start, loudness, 0.5) if start else voice.loud_start
        voice.loud_now = _drift(voice.loud_now, loudness, 0.4)


def _drift(level: float, new: float, share: float) -> float:
    """Exponential moving average, rounded to hundredths so that states compress better."""
    return new if level != level else round(100 * (level + share * (new - level))) / 100


def repeats(words: str, previous: str) -> bool:
    """Whether an utterance repeats the previous one: at least three words, four fifths of them shared.

    Call it only for utterances with the same first letters: a cheap test that nearly all repetitions pass.
    """
    if not previous or abs(len(words) - len(previous)) * 4 > len(words):
        return False
    if words == previous:
        return words.count(" ") >= 2
    mine, theirs = set(words.casefold().split()), set(previous.casefold().split())
    return len(mine) >= 3 and len(mine & theirs) * 5 >= len(mine | theirs) * 4
