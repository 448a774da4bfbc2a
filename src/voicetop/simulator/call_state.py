"""What a simulated call has come to so far: its caller's case, temper and patience, its agent's failures."""

from __future__ import annotations

from msgspec import Struct

from voicetop.simulator.climate import Climate
from voicetop.simulator.detail import Detail
from voicetop.simulator.dice import Dice
from voicetop.simulator.event_builder import EventBuilder
from voicetop.simulator.population import Kind


class CallSettings(Struct, frozen=True):
    """What the calls of one fleet share. `speed` divides the time that people take, never the agent's latency."""

    dice: Dice
    climate: Climate
    source: str
    speed: float = 1.0
    late_intent: float = 0.35
    late_tier: float = 0.15


class CallState(EventBuilder):
    """A live call. `plan` has the step of each turn it will take if nothing comes between.

    `mood` is what failures and long waits have done to the caller (0 is calm), `handicap` what was against success
    from the start. `tokens`, `characters` add up to its cost.
    """

    __slots__ = (
        "audio",
        "caller",
        "characters",
        "detail",
        "errors",
        "failed",
        "handicap",
        "intent_told",
        "kind",
        "loudness",
        "mood",
        "pace",
        "plan",
        "saying",
        "setting",
        "slow",
        "stages",
        "started",
        "step",
        "texts",
        "tier_told",
        "tokens",
        "tokens_out",
        "way",
    )

    def __init__(
        self, call_id: str, kind: Kind, started: float, detail: Detail, setting: CallSettings
    ) -> None:
        super().__init__(call_id, setting.source)
        dice = setting.dice
        self.kind, self.started, self.detail, self.setting = kind, started, detail, setting
        self.plan = kind.plan(dice.uniform())
        self.errors = self.failed = self.slow = self.tokens = self.tokens_out = self.characters = 0
        self.mood = self.handicap = 0.0
        self.step = ""
        self.way = "outbound" if dice.uniform() < 0.08 else "inbound"
        self.caller = f"+1 555 01{int(dice.uniform() * 100):02d}"
        self.intent_told = dice.uniform() >= setting.late_intent or not detail.late
        self.tier_told = dice.uniform() >= setting.late_tier or not detail.late
        told = dice.uniform()
        self.stages, self.audio, self.texts = told < detail.stages, told < detail.audio, told < detail.texts
        self.pace = 150.0 + 14.0 * dice.normal()
        self.loudness = -22.0 + 2.5 * dice.normal()
        self.saying = dice.choose(kind.book.openings[kind.truth["intent"]])

    def after(self, t: float, seconds: float) -> float:
        """`t` and what people take for it: at a speed of 2 they take half as long."""
        return round(t + seconds / self.setting.speed, 3)
