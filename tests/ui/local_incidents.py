"""Incidents of one segment, drawn by chance, with what a person should find."""

from __future__ import annotations

import random
from itertools import chain
from typing import NamedTuple

from voicetop.simulator import SimulatedIncident
from voicetop.simulator.population import INTENTS, LANGUAGES, REGIONS, TIERS, VERSIONS

KINDS = {
    "seg_latency": ("llm", "LLM"),
    "tts_slow": ("tts", "TTS"),
    "seg_errors": ("tts", "TTS"),
    "asr_timeouts": ("stt", "STT"),
    "llm_outage": ("llm", "LLM"),
}
"""An incident's name, and the words that name its stage on the screen."""
SHARES: dict[str, dict[str, float]] = {
    "intent": {name: intent.share for name, intent in INTENTS.items()},
    "language": LANGUAGES,
    "tier": TIERS,
    "version": VERSIONS,
}
LEAST, MOST = 0.05, 0.6
AT, SECONDS = 30.0, 270.0


class Case(NamedTuple):
    """What goes wrong, for whom, and the words for its stage."""

    seed: int
    name: str
    segment: dict[str, str]
    stage: tuple[str, ...]

    @property
    def incident(self) -> SimulatedIncident:
        return SimulatedIncident(self.name, at=AT, duration=3600.0, segment=self.segment)


def draw(dice: random.Random) -> Case:
    """A segment of one or two values with 5 to 60 % of the calls, and something that goes wrong in it."""
    while True:
        names = dice.sample(sorted(SHARES), dice.choice((1, 2, 2)))
        segment = {name: dice.choice(sorted(SHARES[name])) for name in names}
        share = 1.0
        for name, value in segment.items():
            share *= SHARES[name][value]
        if LEAST <= share <= MOST:
            kind = dice.choice(sorted(KINDS))
            return Case(dice.randrange(1, 10_000), kind, segment, KINDS[kind])


KNOWN = frozenset(chain.from_iterable(SHARES.values())) | frozenset(chain.from_iterable(REGIONS.values()))
