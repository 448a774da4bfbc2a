"""Errors began where few became many: not where that was noticed, and not where many became few again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.feeding import START, Line
from voicetop.engine.attribution.onset import of_errors
from voicetop.wire.events import CallEnd, Error

SLOT_S = 10.0


def after(errors: Sequence[int], category: str = "timeout") -> Line:
    """A feed in which so many calls failed in each slot of ten seconds."""
    line = Line()
    number = 0
    for failed in errors:
        for _ in range(failed):
            number += 1
            line.begin(f"c{number}", language="es")
            line.tell(Error, f"c{number}", component="llm", category=category, final=True)
            line.tell(CallEnd, f"c{number}", reason="error")
        line.pass_(SLOT_S)
    return line


def began(line: Line, kind: str = "error") -> float:
    """Seconds from the start of the feed to the onset."""
    return of_errors(line.session.engine.ledger, (), line.at, kind) - START


@pytest.mark.parametrize("quiet", [1, 7, 20])
def test_errors_began_in_the_slot_in_which_they_became_many(quiet: int) -> None:
    assert began(after([0] * quiet + [4] * 6)) == quiet * SLOT_S


def test_a_few_errors_before_are_not_the_onset() -> None:
    assert began(after([0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 6, 5, 7, 6])) == 10 * SLOT_S


def test_errors_that_become_fewer_began_when_they_came_and_not_when_they_went() -> None:
    line = after([9, 8, 9, 9, 8, 9, 9, 8] + [1] * 22)
    assert began(line) == SLOT_S, "the first slot of the five minutes that are looked at"


def test_only_the_category_that_is_asked_for_counts() -> None:
    line = after([0] * 5 + [6] * 5)
    assert began(line, "error:llm:timeout") == began(line, "error:llm") == 5 * SLOT_S
    hits = line.session.engine.ledger.counts.sums("5m", None)
    assert "error:tts" not in hits
