"""Who calls: intents, languages, tiers, versions, channels and regions with their shares and effects.

A `Kind` is one combination of segment values, made once and shared by all its calls, so that a fleet of 100,000
calls holds each segment dict once. Shares are those of a mid-sized customer service; latency and success differ a
little by intent and language, as in reality.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from collections.abc import Iterable, Mapping

from msgspec import Struct

from voicetop.errors import UsageError, nearest
from voicetop.simulator.words import BOOKS, Phrases
from voicetop.wire.events import Agent
from voicetop.wire.values import Scalar


class Intent(Struct, frozen=True):
    """Share of calls, mean number of turns beyond the first four, and what its calls are like.

    `tool` is the chance of a tool call in a turn from verification on, `llm` scales the model's latency, `success` is
    the logit of a call that ends well when nothing goes wrong. `crm` marks those served by the customer database.
    """

    share: float
    turns: float
    tool: float
    llm: float
    success: float
    tool_name: str
    crm: bool = False


INTENTS: dict[str, Intent] = {
    "billing": Intent(0.25, 5.2, 0.34, 1.06, 3.5, "get_invoices", crm=True),
    "account": Intent(0.20, 4.6, 0.34, 1.0, 3.8, "get_account", crm=True),
    "orders": Intent(0.17, 4.7, 0.38, 1.0, 3.8, "find_order"),
    "tech_support": Intent(0.12, 6.6, 0.26, 1.12, 3.0, "line_status"),
    "returns": Intent(0.10, 5.2, 0.34, 1.03, 3.5, "create_return"),
    "sales": Intent(0.08, 7.0, 0.22, 1.05, 2.9, "quote"),
    "appointments": Intent(0.05, 4.3, 0.34, 0.96, 4.0, "free_slots"),
    "other": Intent(0.03, 4.8, 0.14, 1.0, 2.6, "search_help"),
    "pricing_tiers": Intent(0.0, 6.2, 0.18, 1.08, 2.2, "search_help"),
}
LANGUAGES = {"en": 0.55, "es": 0.27, "fr": 0.09, "hi": 0.05, "de": 0.04}
TIERS = {"smb": 0.60, "mid": 0.28, "enterprise": 0.12}
VERSIONS = {"v41": 0.40, "v42": 0.60}
CHANNELS = {"pstn": 0.50, "mobile": 0.35, "web": 0.15}
REGIONS = {
    "en": {"us-east": 0.55, "us-west": 0.30, "eu-west": 0.15},
    "es": {"us-west": 0.65, "eu-west": 0.35},
    "fr": {"eu-west": 1.0},
    "hi": {"ap-south": 1.0},
    "de": {"eu-west": 1.0},
}
STT_FACTOR = {"en": 1.0, "es": 1.06, "fr": 1.1, "hi": 1.25, "de": 1.05}
SUCCESS_SHIFT = {"en": 0.1, "es": -0.1, "fr": -0.1, "hi": -0.4, "de": 0.0}

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "intent": tuple(INTENTS),
    "language": tuple(LANGUAGES),
    "tier": tuple(TIERS),
    "version": tuple(VERSIONS),
    "channel": tuple(CHANNELS),
    "region": tuple(dict.fromkeys(itertools.chain.from_iterable(REGIONS.values()))),
}

FIRST_TURNS = 4
MAX_TURNS = 28
_FIRST_STEPS = ("greeting", "ask_account", "verify", "intent_confirm")
_SHORT_PLANS = {
    4: ("greeting", "ask_account", "resolve", "close"),
    5: ("greeting", "ask_account", "verify", "resolve", "close"),
    6: ("greeting", "ask_account", "verify", "lookup", "resolve", "close"),
    7: ("greeting", "ask_account", "verify", "intent_confirm", "lookup", "resolve", "close"),
}


def _plan(turns: int) -> tuple[str, ...]:
    """The step of each turn: a third of those between the questions and the goodbye are lookups."""
    if turns in _SHORT_PLANS:
        return _SHORT_PLANS[turns]
    middle = turns - len(_FIRST_STEPS) - 2
    lookups = max(1, middle // 3)
    return (*_FIRST_STEPS, *["lookup"] * lookups, *["resolve"] * (middle - lookups), "confirm", "close")


PLANS = {turns: _plan(turns) for turns in range(FIRST_TURNS, MAX_TURNS + 1)}


@functools.cache
def _poisson_steps(mean: float, most: int) -> list[float]:
    """Cumulative probabilities of 0, 1, 2, … for drawing a Poisson number by bisection."""
    chances = [math.exp(-mean) * mean**k / math.factorial(k) for k in range(most + 1)]
    return list(itertools.accumulate(chances))


class Kind:
    """One combination of segment values and what it means for its calls."""

    __slots__ = ("agent", "book", "intent", "segments", "share", "stt", "success", "turn_steps", "variants")

    def __init__(self, segments: dict[str, str], share: float, agent: Agent) -> None:
        self.segments = segments
        self.share = share
        self.agent = agent
        self.intent = INTENTS[segments["intent"]]
        self.book: Phrases = BOOKS[segments["language"]]
        self.stt = STT_FACTOR[segments["language"]]
        self.success = 0.95 + self.intent.success + SUCCESS_SHIFT[segments["language"]]
        self.turn_steps = _poisson_steps(self.intent.turns, MAX_TURNS - FIRST_TURNS)
        reported: dict[str, Scalar] = {name: value for name, value in segments.items() if name != "version"}
        hidden = ((), ("intent",), ("tier",), ("intent", "tier"))
        self.variants = tuple({n: v for n, v in reported.items() if n not in names} for names in hidden)

    def known_segments(self, *, intent: bool, tier: bool) -> dict[str, Scalar]:
        """The segments that are known so far."""
        return self.variants[(not intent) + 2 * (not tier)]

    def plan(self, chance: float) -> tuple[str, ...]:
        """The steps of a call's turns, for a uniform draw."""
        return PLANS[FIRST_TURNS + min(bisect.bisect(self.turn_steps, chance), MAX_TURNS - FIRST_TURNS)]


class Population:
    """All kinds of callers, drawn by share."""

    def __init__(self) -> None:
        self.kinds = list(_all_kinds())
        self._by_segments = {tuple(kind.segments.values()): kind for kind in self.kinds}
        self._cumulative = list(itertools.accumulate(kind.share for kind in self.kinds))

    def draw(self, chance: float) -> Kind:
        """The kind at a uniform draw; O(log kinds)."""
        at = bisect.bisect(self._cumulative, chance * self._cumulative[-1])
        return self.kinds[min(at, len(self.kinds) - 1)]

    def like(self, kind: Kind, **changes: str) -> Kind:
        """The kind that differs from this one only in these values."""
        return self._by_segments[tuple({**kind.segments, **changes}.values())]


def _all_kinds() -> Iterable[Kind]:
    agents = {v: Agent(id="front-desk", name="Front desk", version=v, prompt_version="p7") for v in VERSIONS}
    for (intent, profile), (language, by_language) in itertools.product(INTENTS.items(), LANGUAGES.items()):
        for (tier, by_tier), (version, by_version) in itertools.product(TIERS.items(), VERSIONS.items()):
            for (channel, by_channel), (region, by_region) in itertools.product(
                CHANNELS.items(), REGIONS[language].items()
            ):
                segments = dict(
                    zip(DIMENSIONS, (intent, language, tier, version, channel, region), strict=True)
                )
                share = profile.share * by_language * by_tier * by_version * by_channel * by_region
                yield Kind(segments, share, agents[version])


def check_segment(segment: Mapping[str, str]) -> None:
    """Raise UsageError, naming the nearest match, if the fleet has no such dimension or value."""
    for name, value in segment.items():
        if name not in DIMENSIONS:
            raise UsageError(f"the fleet has no segment {name!r}{nearest(name, DIMENSIONS)}")
        if value not in DIMENSIONS[name]:
            raise UsageError(f"the fleet has no {name} {value!r}{nearest(value, DIMENSIONS[name])}")
