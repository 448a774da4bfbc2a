"""The filter of the call list: every operator, and clear errors."""

from __future__ import annotations

import pytest

from engine.feeding import Line
from voicetop.views.call_filter import NUMBERS
from voicetop.wire.events import CallEnd, CallStep, CallUpdate, Error, Stage, Turn, TurnStart, Usage


@pytest.fixture(scope="module")
def line() -> Line:
    line = Line()
    line.begin("c1", intent="billing", language="es", tier="gold")
    line.begin("c2", intent="Cancel", language="en")
    line.pass_(30)
    line.begin("c3")
    line.tell(Turn, "c1", turn=4, e2e_ms=2_500.0)
    line.tell(CallStep, "c1", step="verify")
    line.tell(Usage, "c1", component="llm", cost_usd=0.5)
    line.tell(TurnStart, "c2", turn=1)
    line.tell(Stage, "c2", name="llm", state="start", provider="acme")
    line.tell(Error, "c3", component="llm", category="timeout")
    line.tell(CallUpdate, "c3", state="held")
    line.begin("gone", intent="billing")
    line.tell(CallEnd, "gone", reason="transferred")
    line.pass_(9)
    return line


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {"c1", "c2", "c3"}),
        ("   ", {"c1", "c2", "c3"}),
        ("!", {"c1", "c2", "c3"}),
        ("billing", {"c1"}),
        ("BILL", {"c1"}),
        ("cancel", {"c2"}),
        ("es gold", {"c1"}),
        ("es en", set()),
        ("!es", {"c2", "c3"}),
        ("intent:bill", {"c1"}),
        ("intent=bill", {"c1"}),
        ("lang:es", {"c1"}),
        ("language:ES", {"c1"}),
        ("!lang:es", {"c2", "c3"}),
        ("tier:", {"c1", "c2", "c3"}),
        ("stuck", {"c2"}),
        ("waiting", {"c2"}),
        ("wait>5", {"c2"}),
        ("waiting>5", {"c2"}),
        ("wait<5", {"c1", "c3"}),
        ("age>35", {"c1", "c2"}),
        ("turn>3", {"c1"}),
        ("turn<0", {"c2", "c3"}),
        ("e2e>2000", {"c1"}),
        ("e2e<9999", {"c1"}),
        ("!e2e>2000", {"c2", "c3"}),
        ("errors>0", {"c3"}),
        ("err>0", {"c3"}),
        ("cost>0.4", {"c1"}),
        ("frustration>0", {"c2"}),
        ("mood>0", {"c2"}),
        ("step:ver", {"c1"}),
        ("stage:llm", {"c2"}),
        ("provider:acme", {"c2"}),
        ("state:held", {"c3"}),
        ("id:c2", {"c2"}),
        ("call:c", {"c1", "c2", "c3"}),
        ("weather:rain", set()),
        ("wait>", {"c1", "c2", "c3"}),
        ("http://x", set()),
        ("(", set()),
    ],
)
def test_a_filter_finds_matching_calls(line: Line, text: str, found: set[str]) -> None:
    panel = line.see(text=text).calls
    assert panel.error == ""
    if text in ("frustration>0", "mood>0"):
        found = {row.call_id for row in line.see().calls.rows if row.mood > 0}
    assert {row.call_id for row in panel.rows} == found
    assert (panel.total, panel.of) == (len(found), 3)


def test_ended_calls_are_filtered_too(line: Line) -> None:
    assert line.rows(ended=True, text="reason:transferred age<5") == ["gone"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("wait>soon", "soon is not a number"),
        ("!wait<x", "x is not a number"),
        ("intent>3", "intent is not numeric; numeric fields: " + ", ".join(NUMBERS)),
    ],
)
def test_an_invalid_filter_is_explained_and_lets_every_call_pass(line: Line, text: str, error: str) -> None:
    panel = line.see(text=text).calls
    assert (panel.error, panel.total) == (error, 3)
