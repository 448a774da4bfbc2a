"""What can go wrong, or merely change: the incidents that a fleet can be given, by name.

An incident changes `Effects`, the factors and chances that calls are simulated with, for the calls of its
segment and from its start to its end. A drift runs its whole course (eight weeks' worth) within its duration,
so that `--for` compresses it.
"""

from __future__ import annotations

from msgspec import Struct

from voicetop.errors import UsageError, nearest
from voicetop.simulator.population import Kind, check_segment

HOUR_S = 3600.0
WEEKS_OF_DRIFT = 8


class Effects:
    """How conditions differ from normal for one kind of call at one time.

    `stt`, `llm`, `tts`, `tokens` and `arrivals` are factors; `*_failure` are chances per turn (`tool_failure`: per tool
    call) of a final failure on top of the usual ones; `abandon` is a chance to hang up in step ask_account;
    `agitation` makes callers faster, louder and interrupt; `success_logit` and `sentiment` are added; `recast` is
    the share of calls with another reason (`recast_to`); outcomes wait until `outcomes_at`.
    """

    __slots__ = (
        "abandon",
        "agitation",
        "arrivals",
        "extra_tools",
        "interrupt",
        "llm",
        "llm_failure",
        "outcomes_at",
        "recast",
        "recast_to",
        "sentiment",
        "stt",
        "stt_failure",
        "success",
        "success_logit",
        "tokens",
        "tool_failure",
        "tts",
        "tts_failure",
    )

    def __init__(self) -> None:
        self.stt = self.llm = self.tts = self.tokens = self.arrivals = self.success = 1.0
        self.stt_failure = self.llm_failure = self.tool_failure = self.tts_failure = 0.0
        self.abandon = self.agitation = self.interrupt = self.extra_tools = 0.0
        self.success_logit = self.sentiment = self.recast = self.outcomes_at = 0.0
        self.recast_to = ""


CALM = Effects()


class SimulatedIncident(Struct, frozen=True):
    """One incident of a fleet. `at` is in seconds after the fleet's start, `duration` in seconds (None: the default).

    `segment` restricts it to the calls with these values; `magnitude` 1 is the usual strength.
    """

    name: str
    at: float = 30.0
    duration: float | None = None
    segment: dict[str, str] = {}
    magnitude: float = 1.0

    @property
    def lasts(self) -> float:
        return SCENARIOS[self.name].duration if self.duration is None else self.duration

    @property
    def where(self) -> dict[str, str]:
        """Its segment, else the scenario's."""
        return self.segment or SCENARIOS[self.name].segment

    def check(self) -> None:
        """Raise UsageError, naming the nearest match, if a name or a value is unknown."""
        if self.name not in SCENARIOS:
            raise UsageError(f"there is no incident {self.name!r}{nearest(self.name, SCENARIOS)}")
        if self.lasts < 0 or self.magnitude < 0:
            raise UsageError(f"the incident {self.name} can't have a negative duration or magnitude")
        check_segment(self.segment)

    def matches(self, kind: Kind) -> bool:
        if SCENARIOS[self.name].crm_only and "intent" not in self.segment and not kind.intent.crm:
            return False
        return all(kind.segments[name] == value for name, value in self.where.items())


class Scenario(Struct, frozen=True):
    """What an incident's name means; `marker` is the kind of marker at its start, if any.

    By name of an effect, at magnitude 1: `added` is added, `scaled` is the relative change, `weekly` the factor per
    week of a drift. `recast` is the share of calls that come for `recast_to`.
    `max_arrivals` bounds the factor on arrivals at magnitude 1. `holds_outcomes` delays outcomes until the end.
    `crm_only` spares the intents that don't need the customer database, unless the incident names an intent itself.
    One that `grows` does so from zero, over its duration.
    """

    about: str
    duration: float
    added: dict[str, float] = {}
    scaled: dict[str, float] = {}
    weekly: dict[str, float] = {}
    recast: float = 0.0
    recast_to: str = ""
    marker: str = ""
    segment: dict[str, str] = {}
    max_arrivals: float = 1.0
    holds_outcomes: bool = False
    crm_only: bool = False
    grows: bool = False

    def change(self, effects: Effects, strength: float) -> None:
        """Change effects in place; `strength` is the magnitude, or the part reached so far if it grows."""
        for name, amount in self.added.items():
            setattr(effects, name, getattr(effects, name) + amount * strength)
        for name, amount in self.scaled.items():
            setattr(effects, name, getattr(effects, name) * max(0.0, 1.0 + amount * strength))
        for name, factor in self.weekly.items():
            setattr(effects, name, getattr(effects, name) * factor ** (WEEKS_OF_DRIFT * strength))
        if self.recast_to:
            effects.recast, effects.recast_to = min(1.0, self.recast * strength), self.recast_to


_SEGMENT = {"intent": "billing", "language": "es", "version": "v42"}


SCENARIOS: dict[str, Scenario] = {
    "llm_outage": Scenario(
        "half of the model's answers never come", HOUR_S, added={"llm_failure": 0.5}, scaled={"llm": 0.8}
    ),
    "llm_brownout": Scenario(
        "the model is slower and fails now and then",
        1.5 * HOUR_S,
        added={"llm_failure": 0.04},
        scaled={"llm": 0.25},
    ),
    "asr_timeouts": Scenario("speech recognition times out", 1.5 * HOUR_S, added={"stt_failure": 0.10}),
    "tool_5xx": Scenario(
        "the customer database fails: billing and account",
        1.5 * HOUR_S,
        added={"tool_failure": 0.45},
        crm_only=True,
    ),
    "tts_slow": Scenario("the voice takes five times as long", 1.5 * HOUR_S, scaled={"tts": 4.5}),
    "traffic_drop": Scenario("calls stop coming in", HOUR_S, scaled={"arrivals": -0.93}),
    "seg_success": Scenario(
        "one segment fails its callers",
        6 * HOUR_S,
        added={"success_logit": -4.0},
        marker="deploy",
        segment=_SEGMENT,
    ),
    "seg_latency": Scenario(
        "one segment is slow", 6 * HOUR_S, scaled={"llm": 1.3}, marker="deploy", segment=_SEGMENT
    ),
    "seg_errors": Scenario(
        "one segment loses its voice",
        6 * HOUR_S,
        added={"tts_failure": 0.12},
        marker="deploy",
        segment=_SEGMENT,
    ),
    "cost_double": Scenario(
        "a deploy doubles the cost of a call",
        6 * HOUR_S,
        added={"extra_tools": 0.45},
        scaled={"tokens": 1.4},
        marker="deploy",
    ),
    "abandon_step": Scenario(
        "callers leave at ask_account", 6 * HOUR_S, added={"abandon": 0.13}, marker="deploy"
    ),
    "sentiment_deploy": Scenario(
        "a deploy that callers dislike",
        10 * HOUR_S,
        added={"sentiment": -0.5},
        marker="deploy",
        segment={"version": "v42"},
    ),
    "frustration_rise": Scenario(
        "callers get faster, louder, interrupt", 6 * HOUR_S, added={"agitation": 0.75, "interrupt": 0.06}
    ),
    "new_intent": Scenario(
        "callers come with something new", 48 * HOUR_S, recast=0.30, recast_to="pricing_tiers", grows=True
    ),
    "ttft_drift": Scenario(
        "the model gets slower, week by week",
        168 * WEEKS_OF_DRIFT * HOUR_S,
        weekly={"llm": 1.015},
        grows=True,
    ),
    "success_drift": Scenario(
        "fewer calls end well, week by week",
        168 * WEEKS_OF_DRIFT * HOUR_S,
        weekly={"success": 0.98},
        grows=True,
    ),
    "healthy": Scenario("nothing happens", 0.0),
    "traffic_double": Scenario("twice the calls", 3 * HOUR_S, scaled={"arrivals": 1.0}, max_arrivals=2.0),
    "campaign": Scenario(
        "more calls, more sales",
        8 * HOUR_S,
        scaled={"arrivals": 0.35},
        recast=0.27,
        recast_to="sales",
        marker="campaign",
        max_arrivals=1.35,
    ),
    "latency_blip": Scenario("the model is slow for 45 s", 45.0, scaled={"llm": 3.0}),
    "deploy_noop": Scenario("a deploy that changes nothing", 0.0, marker="deploy"),
    "eval_lag": Scenario("the judge's verdicts come late", 2 * HOUR_S, holds_outcomes=True),
}


class IncidentSchedule:
    """The active incidents of a fleet, and their effects on a kind of call."""

    def __init__(self) -> None:
        self._active: list[tuple[SimulatedIncident, float]] = []

    def begin(self, incident: SimulatedIncident, at: float) -> None:
        self._active.append((incident, at))

    def end(self, incident: SimulatedIncident) -> None:
        self._active = [entry for entry in self._active if entry[0] is not incident]

    @property
    def max_arrivals(self) -> float:
        """A bound on the factor on arrivals of any kind of call."""
        bound = 1.0
        for incident, _ in self._active:
            bound *= 1.0 + (SCENARIOS[incident.name].max_arrivals - 1.0) * incident.magnitude
        return bound

    def effects(self, kind: Kind, t: float) -> Effects:
        """What the active incidents change for this kind of call at `t`; `CALM` itself if nothing."""
        if not self._active:
            return CALM
        matching = [entry for entry in self._active if entry[0].matches(kind)]
        if not matching:
            return CALM
        effects = Effects()
        for incident, at in matching:
            scenario = SCENARIOS[incident.name]
            grown = min(1.0, (t - at) / incident.lasts) if scenario.grows else 1.0
            scenario.change(effects, incident.magnitude * grown)
            if scenario.holds_outcomes:
                effects.outcomes_at = max(effects.outcomes_at, at + incident.lasts)
        return effects
