from __future__ import annotations

import msgspec

from alerts.incidents.test_lifecycle import AT, BILLING, GOLD, Story, signal
from ui import synthetic
from voicetop.alerts.incident_text import blame_line
from voicetop.alerts.signals import Signal
from voicetop.engine.snapshot import NAN, Trouble, Verdict
from voicetop.views.incidents import dressed, panel_of, verdict_of

OK = Verdict("ok", "412 calls · every panel within its normal")


def test_the_blame_line_says_numbers_stage_segment_and_what_it_began_with() -> None:
    slow = Signal(
        "latency",
        "latency",
        "warning",
        "P95 e2e 3.9 s = 2.4× normal",
        AT,
        (("intent", "billing"), ("language", "es"), ("version", "v42")),
        value=3900,
        normal=1600,
        unit="ms",
        n=312,
        stage="llm_ttft",
        stage_share=0.82,
        explains=0.91,
        marker="deploy v42",
        marker_lag_s=40.0,
        metric="P95 e2e",
    )
    assert blame_line(slow) == (
        "P95 e2e 3.9 s (2.4× normal 1.6 s, n 312) · 82 % in LLM · billing × es × v42 explain 91 %"
        " · began 40 s after deploy v42"
    )


def test_what_is_not_known_is_left_out_of_the_blame() -> None:
    assert blame_line(Signal("x", "traffic", "warning", "fewer calls", AT)) == "global"
    rate = Signal(
        "x", "errors", "warning", "x", AT, GOLD, value=0.5, unit="rate", n=1, metric="errors", calls=1
    )
    silent = Signal(
        "feed.silent", "feed", "critical", "x", AT, value=12.4, normal=0.0, unit="s", metric="feed"
    )
    assert blame_line(silent) == "feed 12 s (normal 0 s) · global"
    assert blame_line(rate) == "errors 50.0 % (n 1) · gold · 1 call"


def test_the_panel_orders_by_what_needs_eyes_and_counts_what_speaks() -> None:
    story = Story()
    story.mark(signal(where=BILLING), signal("success", "success"), signal("cost", "cost"))
    (errors,) = [one.id for one in story.incidents.opened if one.family == "errors"]
    story.act("ack", errors)
    story.mark(
        signal(where=BILLING),
        signal("waiting", "waiting", "critical"),
        signal("success", "success"),
        signal("cost", "cost"),
    )
    panel = panel_of(story.incidents)
    assert [(row.state, row.family) for row in panel.incidents] == [
        ("firing", "waiting"),
        ("firing", "cost"),
        ("firing", "success"),
        ("acknowledged", "errors"),
    ]
    assert (panel.critical, panel.warning) == (1, 2), "success is part of the outage"
    assert panel.incidents[2].muted.startswith("part of i4")


def test_times_to_detection_acknowledgement_and_resolution_are_kept() -> None:
    story = Story()
    story.mark(signal(onset=AT - 42))
    story.quiet(50)
    story.act("ack", "i1")
    story.quiet(400)
    (row,) = panel_of(story.incidents).incidents
    assert (row.to_detect_s, row.to_acknowledge_s, row.to_resolve_s) == (42, 55, 300)


def test_an_incident_speaks_for_its_family_and_the_judge_for_the_others() -> None:
    story = Story()
    story.mark(signal(where=BILLING))
    plain = Verdict(
        "down",
        "…",
        AT,
        (
            Trouble("errors", "errors 9 % = 7× normal", AT, "down"),
            Trouble("cost", "cost per call $0.2 = 2.0× normal", AT, "degraded"),
        ),
    )
    verdict = verdict_of(plain, story.incidents.opened, story.at)
    assert verdict.severity == "down", "as bad as the figures on the screen"
    assert [trouble.kind for trouble in verdict.troubles] == ["errors", "cost"]
    assert "errors 9 %" not in verdict.text
    assert "cost per call" in verdict.text


def test_it_is_never_ok_while_something_fires() -> None:
    story = Story()
    story.mark(signal(where=BILLING))
    story.act("silence", "i1", until=AT + 3600)
    story.mark(signal(where=BILLING))
    verdict = verdict_of(OK, story.incidents.opened, story.at)
    assert verdict.severity == "degraded"
    assert "billing" in verdict.text


def test_a_page_of_everybody_is_down() -> None:
    story = Story()
    story.mark(signal("waiting", "waiting", "critical"))
    assert verdict_of(OK, story.incidents.opened, story.at).severity == "down"


def test_security_is_a_page_and_no_outage() -> None:
    story = Story()
    story.mark(signal("security", "security", "critical"))
    assert verdict_of(OK, story.incidents.opened, story.at).severity == "degraded"


def test_blind_stays_blind() -> None:
    story = Story()
    story.mark(signal("feed", "feed", "critical"))
    blind = Verdict("blind", "feed silent for 11 s", AT)
    assert verdict_of(blind, story.incidents.opened, story.at).text == "feed silent for 11 s"


def test_all_well_says_when_the_last_alert_was_over() -> None:
    story = Story()
    story.mark(signal())
    story.quiet(400)
    snap = msgspec.structs.replace(synthetic.busy(), at=story.at + 3 * 3600)
    assert dressed(snap, story.incidents).verdict.text.endswith(" · last alert 3.0 h ago, resolved")
    assert dressed(synthetic.busy(), Story().incidents).alerts.last_resolved != NAN


def test_what_fires_without_a_sign_any_more_is_named_and_makes_nothing_worse() -> None:
    story = Story()
    story.mark(signal())
    story.quiet(60)
    verdict = verdict_of(OK, story.incidents.opened, story.at)
    assert (verdict.severity, verdict.text) == ("ok", f"{OK.text} · errors alert (i1) quiet for 65 s")
