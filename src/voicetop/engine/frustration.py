"""How frustrated a caller is, 0 to 1, from five signals that anyone can check by ear.

Each signal runs from 0 to 1 and has a weight; the score is the weighted mean over the signals that the feed gives,
so that a feed without audio features scores from fewer signals, and the screen says "3/5". The weights are a judgment,
not a fit: what a person does who isn't understood (repeats, interrupts) weighs more than how it sounds.

    faster     speech rate against the caller's own start: +40 % is 1
    louder     loudness against the caller's own start: +9 dB is 1
    interrupts barge-ins a turn, false ones and backchannels left out: one in two turns is 1
    repeats    nearly the same words again: two is 1
    waiting    waiting beyond 2.5 s a turn, summed: 12 s is 1; a wait that goes on counts
"""

from __future__ import annotations

from voicetop.engine.calls import Call, VoiceLevels
from voicetop.wire.events import NAN

FRUSTRATED = 0.5
PATIENCE_MS = 2_500.0
WEIGHTS = {"interrupts": 0.20, "repeats": 0.25, "waiting": 0.20, "faster": 0.15, "louder": 0.20}
_INTERRUPTS, _REPEATS, _WAITING, _FASTER, _LOUDER = WEIGHTS.values()
_ALWAYS = _INTERRUPTS + _REPEATS + _WAITING


def signals(call: Call, now: float = 0.0) -> dict[str, float]:
    """The signals that are known for this call, each 0 to 1; `now` (epoch s) lets a wait that goes on count."""
    return {name: value for name, value in zip(WEIGHTS, _signals(call, now), strict=True) if value == value}


def _signals(call: Call, now: float) -> tuple[float, float, float, float, float]:
    """All of them in the order of `WEIGHTS`; NaN where the feed doesn't tell."""
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
        min(1.0, (call.slow_ms + _going_on(call, now)) / 12_000),
        faster,
        louder,
    )


def _going_on(call: Call, now: float) -> float:
    return max(0.0, (now - call.wait_since) * 1000 - PATIENCE_MS) if call.wait_since and now else 0.0


def felt(call: Call, at: float) -> float:
    """The score at `at` (epoch s): that of the call, and of the wait that goes on in it."""
    return score(call, at)[0] if call.wait_since else call.mood


def score(call: Call, now: float = 0.0) -> tuple[float, int]:
    """(frustration 0–1 to a thousandth, number of signals it rests on)."""
    interrupts, repeated, waiting, faster, louder = _signals(call, now)
    total = _INTERRUPTS * interrupts + _REPEATS * repeated + _WAITING * waiting
    weight, known = _ALWAYS, 3
    if faster == faster:
        total, weight, known = total + _FASTER * faster, weight + _FASTER, known + 1
    if louder == louder:
        total, weight, known = total + _LOUDER * louder, weight + _LOUDER, known + 1
    return round(1000 * total / weight) / 1000, known


def update(call: Call) -> None:
    """Score the call anew: something that the score rests on has changed."""
    call.mood, call.mood_of = score(call)


def count_repeat(call: Call) -> None:
    """The caller said nearly the same again."""
    call.repeats += 1
    update(call)


def count_wait(call: Call, e2e_ms: float) -> None:
    """The caller waited longer for a reply than anyone's patience."""
    call.slow_ms += e2e_ms - PATIENCE_MS
    update(call)


def end_wait(call: Call, ts: float) -> None:
    """The call ends at `ts` (epoch s), and with it a wait that goes on."""
    call.slow_ms += _going_on(call, ts)
    update(call)


def hear(voice: VoiceLevels, rate: float, loudness: float) -> None:
    """Take in one utterance of the caller: the first two are the start, later ones drift into now."""
    voice.told += 1
    start = voice.told <= 2
    if rate == rate:
        voice.rate_start = _drift(voice.rate_start, rate, 0.5) if start else voice.rate_start
        voice.rate_now = _drift(voice.rate_now, rate, 0.4)
    if loudness == loudness:
        voice.loud_start = _drift(voice.loud_start, loudness, 0.5) if start else voice.loud_start
        voice.loud_now = _drift(voice.loud_now, loudness, 0.4)


def _drift(held: float, new: float, share: float) -> float:
    """To a hundredth of a word or of a dB: nobody measures finer, and states pack better."""
    return new if held != held else round(100 * (held + share * (new - held))) / 100


def repeats(words: str, before: str) -> bool:
    """Whether an utterance says nearly the same again: at least three words, four fifths of them shared.

    Callers compare only utterances that begin alike: that is cheap, and who repeats himself nearly always does.
    """
    if not before or abs(len(words) - len(before)) * 4 > len(words):
        return False
    if words == before:
        return words.count(" ") >= 2
    mine, theirs = set(words.casefold().split()), set(before.casefold().split())
    return len(mine) >= 3 and len(mine & theirs) * 5 >= len(mine | theirs) * 4
