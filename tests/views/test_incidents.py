from __future__ import annotations

from alerts.incidents.test_incidents import AT, BILLING, GOLD, Story, signal
from voicetop.alerts.incident_text import blame_line
from voicetop.alerts.signals import Signal
from voicetop.views.incidents import panel_of


def test_the_blame_line_has_numbers_stage_segment_and_markers() -> None:
    slow = Signal(
        "latency",
        "latency",
        "warning",
        "P95 response 3,910 ms = 2.4× normal",
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
        metric="P95 response",
    )
    assert blame_line(slow) == (
        "P95 response 3,900 ms (2.4× normal 1,600 ms, n 312) · 82 % in LLM · billing × es × v42 explain 91 %"
        " · began 40 s after deploy v42"
    )


def test_the_blame_line_omits_unknown_parts() -> None:
    assert blame_line(Signal("x", "traffic", "warning", "fewer calls", AT)) == "all segments"
    rate = Signal(
        "x", "errors", "warning", "x", AT, GOLD, value=0.5, unit="rate", n=1, metric="errors", calls=1
    )
    silent = Signal(
        "feed.silent", "feed", "critical", "x", AT, value=12.4, normal=0.0, unit="s", metric="feed"
    )
    assert blame_line(silent) == "feed 12 s (normal 0 s) · all segments"
    assert blame_line(rate) == "errors 50.0 % (n 1) · gold · 1 call"


def test_the_panel_sorts_by_urgency_and_counts_audible_incidents() -> None:
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


def test_rows_have_times_to_detect_acknowledge_and_resolve() -> None:
    story = Story()
    story.mark(signal(onset=AT - 42))
    story.quiet(50)
    story.act("ack", "i1")
    story.quiet(400)
    (row,) = panel_of(story.incidents).incidents
    assert (row.to_detect_s, row.to_acknowledge_s, row.to_resolve_s) == (42, 55, 300)
