"""The script of the call: a list of exchanges, each with what the caller says and what fails."""

from __future__ import annotations

from dataclasses import dataclass, field

INJECTIONS = ("barge-in", "llm-500", "tool-failure", "tts-crash")


@dataclass(frozen=True)
class Exchange:
    """One turn of the caller. `injection` names the failure in it; empty for none."""

    says: str
    answer: str = ""
    tool: str = ""
    injection: str = ""


UNSPEAKABLE = "There is a small one behind the house."
GREETING = "Hello, this is the restaurant."
OPENING = Exchange("i want a table for two", "Yes, there is one at seven.", tool="check_table")
CLOSING = Exchange("thank you very much", "You are welcome.")

_EXCHANGES = {
    "barge-in": [
        Exchange(
            "please describe the house",
            "It is a quiet house by the river, with a terrace and a very old garden, and on clear evenings you can see"
            " the whole town and the hills behind it.",
        ),
        Exchange("yes please book it now", "It is booked.", injection="barge-in"),
    ],
    "llm-500": [Exchange("what does the dinner cost", injection="llm-500")],
    "tool-failure": [
        Exchange(
            "please charge my card",
            "I am sorry, that did not work.",
            tool="charge_card",
            injection="tool-failure",
        )
    ],
    "tts-crash": [Exchange("is there a garden", UNSPEAKABLE, injection="tts-crash")],
}

SENTENCES = sorted(
    {exchange.says for kind in _EXCHANGES.values() for exchange in kind} | {OPENING.says, CLOSING.says}
)


@dataclass
class Plan:
    """The whole call; `now` is the current exchange, which the language model stub reads."""

    exchanges: list[Exchange]
    now: Exchange | None = field(default=None)

    @classmethod
    def of(cls, injections: list[str]) -> Plan:
        """Build the plan: a request for a table, then the failures in the given order, then thanks."""
        wrong = [exchange for name in injections for exchange in _EXCHANGES[name]]
        return cls([OPENING, *wrong, CLOSING])
