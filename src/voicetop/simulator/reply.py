"""One reply: its stages in whole milliseconds, and what fails on the way.

Medians and spreads are those of a cascade of hosted services on the phone: P50 about 0.9 s, P95 about 1.7 s. The
stages follow each other, so they add up to e2e.
"""

from __future__ import annotations

from msgspec import Struct

from voicetop.simulator.climate import Climate
from voicetop.simulator.dice import Dice
from voicetop.simulator.incidents import Effects
from voicetop.simulator.population import Kind

STT_TIMEOUT_MS = 1500.0
LLM_TIMEOUT_MS = 15_000.0

_TOOL_STEPS = frozenset({"verify", "intent_confirm", "lookup", "resolve", "confirm"})
_CHANCES = {"stt": 0.0005, "llm": 0.0004, "tool": 0.0012, "tts": 0.00023}
_RETRY = 0.006
_SPIKE = 0.012


class Failure(Struct, frozen=True):
    """An error as a provider reports it; `silent` ones leave the caller waiting until a timeout."""

    component: str
    category: str
    error_type: str
    provider: str
    message: str
    http_status: int = 0
    silent: bool = False


LLM, STT, TTS = "acme-llm", "hark-stt", "lyra-tts"
LLM_MODEL, STT_MODEL, TTS_MODEL = "acme-large-2", "hark-phone-3", "lyra-warm-1"
STT_TIMEOUT = Failure("stt", "timeout", "TranscriptTimeout", STT, "no final transcript within 1.5 s")
LLM_TIMEOUT = Failure("llm", "timeout", "ReadTimeout", LLM, "no first token within 15 s", silent=True)
LLM_OVERLOADED = Failure("llm", "overloaded", "OverloadedError", LLM, "the model is overloaded", 529)
LLM_SERVER = Failure("llm", "server", "InternalServerError", LLM, "internal server error", 500)
TOOL_SERVER = Failure("tool", "server", "HTTPStatusError", "crm", "503 Service Unavailable", 503)
TTS_SERVER = Failure("tts", "server", "SynthesisError", TTS, "synthesis failed", 500)


class Reply:
    """One reply in advance: milliseconds by stage, number of tool calls, and how it fails, if it does.

    `llm_waste` is the part of `llm` spent before a successful retry.
    """

    __slots__ = ("eou", "failure", "llm", "llm_waste", "output", "stt", "tool", "tools", "tts", "vad")

    def __init__(self, step: str, kind: Kind, effects: Effects, climate: Climate, dice: Dice) -> None:
        self.vad = dice.lognormal(48.0, 0.2) // 1.0
        self.stt = dice.lognormal(135.0 * kind.stt * climate.stt * effects.stt, 0.45) // 1.0
        self.eou = dice.lognormal(165.0, 0.5) // 1.0
        llm = dice.lognormal(275.0 * kind.intent.llm * climate.llm * effects.llm, 0.65)
        if dice.uniform() < _SPIKE:
            llm *= dice.between(2.5, 5.0)
        self.llm = llm // 1.0
        self.llm_waste = 0.0
        self.tts = dice.lognormal(130.0 * climate.tts * effects.tts, 0.42) // 1.0
        self.output = dice.lognormal(28.0, 0.2) // 1.0
        self.tools = _tools(step, kind, effects, dice)
        self.tool = dice.lognormal(225.0 * self.tools**0.5, 0.65) // 1.0 if self.tools else 0.0
        self.failure = self._fail(effects, climate.errors, dice)

    @property
    def e2e(self) -> float:
        return self.vad + self.stt + self.eou + self.llm + self.tool + self.tts + self.output

    @property
    def silent(self) -> bool:
        """Whether the caller hears no reply at all: the LLM or the TTS failed."""
        return self.failure is not None and self.failure.component in ("llm", "tts")

    @property
    def wait(self) -> float:
        """Milliseconds until the first audio, or until the failure is known."""
        if self.failure is not None and self.failure.component == "llm":
            return self.vad + self.stt + self.eou + self.llm
        return self.e2e - self.output if self.silent else self.e2e

    def _fail(self, effects: Effects, proneness: float, dice: Dice) -> Failure | None:
        """Draw whether one of the components fails for good; the first one in the chain does."""
        chance = dice.uniform()
        chance -= _CHANCES["stt"] * proneness + effects.stt_failure
        if chance < 0.0:
            self.stt += STT_TIMEOUT_MS
            return STT_TIMEOUT
        chance -= _CHANCES["llm"] * proneness + effects.llm_failure
        if chance < 0.0:
            return self._fail_llm(dice)
        chance -= self.tools and _CHANCES["tool"] * proneness + effects.tool_failure
        if chance < 0.0:
            return TOOL_SERVER
        chance -= _CHANCES["tts"] * proneness + effects.tts_failure
        if chance < 0.0:
            self.tts = dice.between(600.0, 2500.0) // 1.0
            return TTS_SERVER
        if dice.uniform() < _RETRY + 0.3 * min(0.3, effects.llm_failure):
            self.llm_waste = dice.between(350.0, 900.0) // 1.0
            self.llm += self.llm_waste
        return None

    def _fail_llm(self, dice: Dice) -> Failure:
        """Three of four requests hang until the timeout; the others are refused, retried twice, and refused again."""
        chance = dice.uniform()
        if chance < 0.75:
            self.llm = LLM_TIMEOUT_MS
            return LLM_TIMEOUT
        self.llm = dice.between(900.0, 4000.0) // 1.0
        return LLM_OVERLOADED if chance < 0.9 else LLM_SERVER


def _tools(step: str, kind: Kind, effects: Effects, dice: Dice) -> int:
    if step not in _TOOL_STEPS:
        return 0
    tools = 0
    if dice.uniform() < kind.intent.tool:
        tools = 2 if dice.uniform() < 0.12 else 1
    if effects.extra_tools and dice.uniform() < effects.extra_tools:
        tools += 1 + (dice.uniform() < 0.5)
    return tools
