"""The text of notifications: onset, and times to detect, acknowledge and resolve."""

from __future__ import annotations

import pytest

from notify.receivers import effect
from voicetop.alerts.incidents.lifecycle import effect as effect_of
from voicetop.alerts.signals import Effect, Reason
from voicetop.notify import message_text
from voicetop.notify.targets.base import Digest, IncidentChange

BEGAN = 1_700_000_000.0
"""22:13:20 UTC."""


def told(
    reason: Reason, after_s: float, *, seen_s: float = 42.0, taken_s: float = 0.0, by: str = ""
) -> Effect:
    fired = BEGAN + seen_s
    acked = fired + taken_s if taken_s else 0.0
    return effect(reason, at=BEGAN + after_s, fired_at=fired, acked_at=acked, by=by)


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (told("fired", 42), "billing · began 22:13:20 UTC, detected 42 s later · i1"),
        (told("fired", 0, seen_s=0), "billing · began 22:13:20 UTC, detected at once · i1"),
        (told("worse", 300), "billing · since 22:13:20 UTC (5 min) · i1"),
        (
            told("acknowledged", 162, taken_s=120),
            "billing · acknowledged 22:16:02 UTC, 2 min after the alert · i1",
        ),
        (
            told("resolved", 1140, taken_s=120, by="ana"),
            (
                "billing · resolved 22:32:20 UTC by ana, 19 min after it began, detected 42 s later, "
                "acknowledged 2 min later · i1"
            ),
        ),
        (told("returned", 400, by="ana"), "billing · unacknowledged 22:20:00 UTC, open for 7 min · i1"),
        (
            told("resolved", 60),
            "billing · resolved 22:14:20 UTC, 60 s after it began, detected 42 s later · i1",
        ),
        (effect("fired", at=BEGAN + 60), "billing · since 22:13:20 UTC (60 s) · i1"),
    ],
)
def test_a_message_gives_times_to_detect_acknowledge_and_resolve(one: Effect, line: str) -> None:
    assert line in message_text.body(one)


def test_effects_carry_the_times_of_their_incident() -> None:
    from alerts.incidents.test_incidents import AT, Story, signal

    story = Story()
    (fired,) = story.mark(signal(onset=AT - 30))
    story.at += 60
    (taken,) = story.act("ack", "i1", "looking at it")
    assert message_text.body(taken)[0] == "ana: looking at it"
    story.act("resolve", "i1", "rolled back")
    over = effect_of(story.only, "resolved", story.only.resolved_at, "acme")
    assert message_text.body(over)[0] == "ana: rolled back"
    assert (fired.to_detect_s, fired.note) == (30, "")
    assert fired.to_acknowledge_s != fired.to_acknowledge_s
    assert taken.to_acknowledge_s == over.to_acknowledge_s == 65
    assert over.to_resolve_s == 95


def test_a_log_line_sums_up_a_message() -> None:
    assert message_text.in_short(effect()).startswith("i1 fired · LLM errors 41 %")
    assert message_text.in_short(IncidentChange("c", 1.0, "deploy", "v42")) == "deploy v42"
    assert message_text.in_short(Digest("d", 1.0, "2 alerts came and went", ())) == "2 alerts came and went"
