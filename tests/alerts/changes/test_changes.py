"""The statistical detectors on planted changes: soon found, rightly blamed, and silent where nothing is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.planted import KEYS, START, Change, baseline, readings, rows_of, watched
from voicetop.alerts.changes import array_codec
from voicetop.alerts.changes.detector import ChangeDetector, ChangeDetectorState

FROM = 300.0


def planted(kind: str, to: float, where: np.ndarray | None = None, until: float = 1e9) -> Change:
    """A change of one kind after ten minutes."""
    inside = np.ones(len(KEYS), bool) if where is None else where

    def change(name: str, rate: np.ndarray, seconds: float) -> np.ndarray:
        return np.where(inside & (name == kind) & (FROM <= seconds < until), to, rate)

    return change


@pytest.mark.parametrize(
    ("kind", "to", "family", "within_s"),
    [
        ("fault:llm:server", 0.4, "errors", 25),
        ("fault:llm:server", 0.04, "errors", 240),
        ("o:tts_ttfb", 0.9, "latency", 90),
        ("failed", 0.8, "success", 120),
        ("escalated", 0.4, "escalation", 180),
        ("hangup", 0.2, "abandonment", 240),
        ("x:cost", 70.0, "cost", 120),
        ("x:sentiment", 60.0, "sentiment", 480),
        ("x:rate", 15.0, "frustration", 120),
        ("x:loud", 400.0, "frustration", 120),
        ("started", 0.05, "traffic", 120),
    ],
)
def test_a_change_is_found_soon_in_its_family(kind: str, to: float, family: str, within_s: float) -> None:
    found = watched(5 + within_s / 60, planted(kind, to))
    assert (family, ()) in found
    after, alarm = found[family, ()]
    assert FROM <= after <= FROM + within_s
    assert abs(alarm.onset - START - FROM) < 120


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    for seed in (1, 2):
        assert not watched(30, seed=seed)


def test_a_blip_of_slow_replies_that_is_over_in_45_seconds_is_none() -> None:
    assert not watched(12, planted("o:llm_ttft", 0.95, until=FROM + 45))


def test_an_outage_is_worth_a_page_and_a_change_in_success_is_not() -> None:
    assert watched(7, planted("fault:llm:server", 0.4))["errors", ()][1].tier == "critical"
    assert watched(9, planted("failed", 0.8))["success", ()][1].tier == "warning"


@pytest.mark.parametrize("kind", ["fault:tts:server", "o:llm_ttft"])
def test_what_hits_one_conjunction_is_blamed_on_it_alone(kind: str) -> None:
    where = rows_of(intent="billing", language="es")
    found = watched(20, planted(kind, 0.6, where))
    assert {place for _, place in found} == {(("intent", "billing"), ("language", "es"))}
    assert all(alarm.explains > 0.8 for _, alarm in found.values())


def test_a_second_segment_that_breaks_is_told_too_and_no_segment_that_shares_callers_with_them() -> None:
    first, second = rows_of(intent="billing", language="es"), rows_of(intent="sales", language="en")

    def change(name: str, rate: np.ndarray, seconds: float) -> np.ndarray:
        hit = (first & (seconds >= FROM)) | (second & (seconds >= FROM + 600))
        return np.where(hit & (name == "fault:tts:server"), 0.3, rate)

    places = {place for _, place in watched(40, change)}
    assert places == {
        (("intent", "billing"), ("language", "es")),
        (("intent", "sales"), ("language", "en")),
    }


def test_who_is_less_content_is_named_where_it_is_one_value() -> None:
    found = watched(30, planted("x:sentiment", 60.0, rows_of(intent="billing")))
    assert {place for family, place in found if family == "sentiment"} == {(("intent", "billing"),)}


def test_what_hits_one_version_is_everybodys_and_names_the_version() -> None:
    found = watched(30, planted("x:sentiment", 60.0, rows_of(version="v2")))
    assert found["sentiment", ()][1].version == "v2"


def test_what_hits_everybody_is_blamed_on_nobody() -> None:
    assert {place for _, place in watched(15, planted("fault:tts:server", 0.05))} == {()}


def test_twice_the_traffic_is_no_alarm() -> None:
    def double(name: str, rate: np.ndarray, seconds: float) -> np.ndarray:
        return rate * 2 if name in ("turns", "ended", "started") and seconds >= FROM else rate

    assert not watched(20, double)


def test_an_alarm_is_over_soon_after_its_change() -> None:
    watch = ChangeDetector(ChangeDetectorState(baseline=baseline()))
    on = [
        at
        for at, reading in readings(18, planted("fault:llm:server", 0.4, until=FROM + 300))
        if watch.step(reading, at)
    ]
    assert on
    assert on[-1] - START < FROM + 300 + 420


def test_a_watch_that_goes_on_from_its_state_says_the_same() -> None:
    marks = readings(15, planted("fault:llm:server", 0.03))
    watch = ChangeDetector(ChangeDetectorState(baseline=baseline()))
    for at, reading in marks[:90]:
        watch.step(reading, at)
    other = ChangeDetector(array_codec.decode(array_codec.encode(watch.state), ChangeDetectorState))
    for at, reading in marks[90:]:
        assert array_codec.encode(watch.step(reading, at)) == array_codec.encode(other.step(reading, at))
    assert array_codec.encode(watch.state) == array_codec.encode(other.state)


def test_when_an_outage_is_over_what_callers_felt_of_it_is_over_too() -> None:
    def outage(kind: str, rate: np.ndarray, seconds: float) -> np.ndarray:
        if not FROM <= seconds < FROM + 300:
            return rate
        return {"fault:llm:server": rate * 0 + 0.5, "failed": rate * 0 + 0.9}.get(kind, rate)

    watch = ChangeDetector(ChangeDetectorState(baseline=baseline()))
    families = [{alarm.family for alarm in watch.step(reading, at)} for at, reading in readings(18, outage)]
    assert {"errors", "success"} in families
    assert not families[-1]
