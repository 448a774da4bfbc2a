"""Incidents and judge make up one verdict."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alerts.incidents.test_incidents import AT, BILLING, GOLD, Story, signal
from voicetop.engine.snapshot import Trouble, Verdict, Where
from voicetop.views.incidents import panel_of
from voicetop.views.verdict import verdict_of

OK = Verdict("ok", "412 calls · all figures normal")


def test_incidents_state_their_family_and_the_judge_the_others() -> None:
    story = Story()
    story.mark(signal(where=BILLING))
    plain = Verdict(
        "down",
        "…",
        AT,
        (
            Trouble("errors", AT, "down", 0.09, 0.013, 400),
            Trouble("cost", AT, "degraded", 0.2, 0.1, 400),
        ),
    )
    verdict = verdict_of(plain, story.incidents.opened, story.at)
    assert verdict.severity == "down", "as bad as the figures on the screen"
    assert [trouble.kind for trouble in verdict.troubles] == ["errors", "cost"]
    assert verdict.text == plain.text, "the figures of the panels, not the alert's since its onset"


def test_it_is_never_ok_while_something_fires() -> None:
    story = Story()
    story.mark(signal(where=BILLING))
    story.act("silence", "i1", until=AT + 3600)
    story.mark(signal(where=BILLING))
    verdict = verdict_of(OK, story.incidents.opened, story.at)
    assert verdict.severity == "degraded"
    assert "billing" in verdict.text


def test_a_fleet_wide_page_is_down() -> None:
    story = Story()
    story.mark(signal("waiting", "waiting", "critical"))
    assert verdict_of(OK, story.incidents.opened, story.at).severity == "down"


def test_a_security_page_is_not_an_outage() -> None:
    story = Story()
    story.mark(signal("security", "security", "critical"))
    assert verdict_of(OK, story.incidents.opened, story.at).severity == "degraded"


def test_blind_stays_blind() -> None:
    story = Story()
    story.mark(signal("feed", "feed", "critical"))
    blind = Verdict("blind", "feed silent for 11 s", AT)
    assert verdict_of(blind, story.incidents.opened, story.at).text == "feed silent for 11 s"


def test_all_well_gives_the_time_since_the_last_alert() -> None:
    story = Story()
    story.mark(signal())
    story.quiet(400)
    last_resolved = panel_of(story.incidents).last_resolved
    verdict = verdict_of(OK, story.incidents.opened, story.at + 3 * 3600, last_resolved)
    assert verdict.text.endswith(" · last alert 3.0 h ago, resolved")
    never = panel_of(Story().incidents).last_resolved
    assert never != never
    assert verdict_of(OK, (), story.at, never) == OK


def test_a_quiet_alert_is_named_and_does_not_worsen_the_verdict() -> None:
    story = Story()
    story.mark(signal())
    story.quiet(60)
    verdict = verdict_of(OK, story.incidents.opened, story.at)
    assert (verdict.severity, verdict.text) == ("ok", f"{OK.text} · errors alert (i1) quiet for 65 s")


def failing(where: Where = (), *, local: bool = False) -> Verdict:
    """What the judge says of errors that it attributes to a segment."""
    trouble = Trouble("errors", AT, "degraded", 0.09, 0.013, 400, where=where, explains=0.7, local=local)
    return Verdict("degraded", "…", AT, (trouble,))


@pytest.mark.parametrize("quiet_s", [0, 60])
def test_where_both_speak_of_one_trouble_the_incident_says_whose_it_is(quiet_s: int) -> None:
    story = Story()
    story.mark(replace(signal(where=BILLING), explains=0.9))
    story.quiet(quiet_s)
    verdict = verdict_of(failing(GOLD), story.incidents.opened, story.at)
    assert [trouble.where for trouble in verdict.troubles] == [BILLING]
    assert "billing" in verdict.text
    assert "gold" not in verdict.text


def test_an_incident_of_everybody_leaves_no_segment_in_the_verdict() -> None:
    story = Story()
    story.mark(signal())
    story.quiet(60)
    verdict = verdict_of(failing(GOLD), story.incidents.opened, story.at)
    assert [trouble.where for trouble in verdict.troubles] == [()]
    assert "gold" not in verdict.text


def test_a_rule_about_a_segment_attributes_nothing_and_a_figure_of_a_segment_stays_its_own() -> None:
    story = Story()
    story.mark(signal(where=BILLING))
    story.quiet(60)
    opened = story.incidents.opened
    assert [trouble.where for trouble in verdict_of(failing(GOLD), opened, story.at).troubles] == [GOLD]
    story.mark(replace(signal(where=BILLING), explains=0.9))
    story.quiet(60)
    told = verdict_of(failing(GOLD, local=True), story.incidents.opened, story.at)
    assert [trouble.where for trouble in told.troubles] == [GOLD]
