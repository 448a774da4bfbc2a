"""The state of a simulated call: the caller's case, frustration and patience, the agent's failures."""

from __future__ import annotations

from msgspec import Struct

from voicetop.simulator.climate import Climate
from voicetop.simulator.detail import Detail
from voicetop.simulator.dice import Dice
from voicetop.simulator.event_builder import EventBuilder
from voicetop.simulator.population import Kind


class CallSettings(Struct, frozen=True):
    """Shared by the calls of one fleet. `speed` divides the time that people take, never the agent's latency."""

    dice: Dice
    climate: Climate
    source: str
    speed: float = 1.0
    late_intent: float = 0.35
    late_tier: float = 0.15


class CallState(EventBuilder):
    """A live call. `plan` has the step of each turn if nothing intervenes.

    `frustration` accumulates from failures and long waits (0 is calm), `handicap` lowers the chance of success from the
    start. `tokens` and `characters` add up to the cost.
    """

    __slots__ = (
        "audio",
        "caller",
        "characters",
        "detail",
        "direction",
        "errors",
        "failed",
        "frustration",
        "handicap",
        "intent_known",
        "kind",
        "loudness",
        "next_text",
        "pace",
        "plan",
        "settings",
        "slow",
        "stages",
        "started",
        "step",
        "texts",
        "tier_known",
        "tokens",
        "tokens_out",
    )

    def __init__(
        self, call_id: str, kind: Kind, started: float, detail: Detail, settings: CallSettings
    ) -> None:
        super().__init__(call_id, settings.source)
        dice = settings.dice
        self.kind, self.started, self.settings = kind, started, settings
        self.plan = kind.plan(dice.uniform())
        self.errors = self.failed = self.slow = self.tokens = self.tokens_out = self.characters = 0
        self.frustration = self.handicap = 0.0
        self.step = ""
        self.direction = "outbound" if dice.uniform() < 0.08 else "inbound"
        self.caller = f"+1 555 01{int(dice.uniform() * 100):02d}"
        self.intent_known = dice.uniform() >= settings.late_intent or not detail.late
        self.tier_known = dice.uniform() >= settings.late_tier or not detail.late
        self.draw_detail(detail)
        self.pace = 150.0 + 14.0 * dice.normal()
        self.loudness = -22.0 + 2.5 * dice.normal()
        self.next_text = dice.choose(kind.book.openings[kind.segments["intent"]])

    def draw_detail(self, detail: Detail) -> None:
        """Draw which of the events in `detail` this call emits."""
        draw = self.settings.dice.uniform()
        self.detail = detail
        self.stages, self.audio, self.texts = draw < detail.stages, draw < detail.audio, draw < detail.texts

    def after(self, t: float, seconds: float) -> float:
        """`t` plus time that people take: at a speed of 2 they take half as long."""
        return round(t + seconds / self.settings.speed, 3)
