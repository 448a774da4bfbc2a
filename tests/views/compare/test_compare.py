from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from ui.session_feed import SessionFeed
from views.compare.made_samples import CELLS, SEGMENTS, Odds, moment
from voicetop.engine.snapshot import View
from voicetop.engine.snapshot.comparison import Comparison, FigureChange, Key, WindowSample
from voicetop.views.compare.compare import NEUTRAL, compare

PAIR: Key = (("intent", "billing"), ("language", "es"))


def pair(seed: int, before: Odds | None = None, after: Odds | None = None) -> Comparison:
    dice = np.random.default_rng(seed)
    return compare(moment(dice, 0.0, before), moment(dice, 1_000.0, after))


def row(found: Comparison, name: str) -> FigureChange:
    return next(row for row in found.rows if row.name == name)


@pytest.mark.parametrize("odds", [Odds(calls=200), Odds(calls=200, alike=0.3), Odds(calls=120, errors=0.005)])
def test_without_a_change_at_most_one_comparison_in_twenty_is_significant(odds: Odds) -> None:
    """Of 40 by chance: more than 6 would come once in seventy times if it were as many as one in twenty."""
    found = [pair(seed, odds, odds) for seed in range(40)]
    assert all(one.tested > 10 and one.searched > 20 for one in found)
    assert sum(bool(one.news or one.segments) for one in found) <= 6


@pytest.mark.soak
@pytest.mark.parametrize("odds", [Odds(), Odds(alike=0.4), Odds(calls=120), Odds(calls=2_000, errors=0.004)])
def test_the_level_holds_over_hundreds_of_comparisons(odds: Odds) -> None:
    found = [pair(seed, odds, odds) for seed in range(1_000, 1_300)]
    assert sum(bool(one.news or one.segments) for one in found) <= 0.075 * len(found)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [3, 8, 21])
def test_the_level_holds_with_drifting_providers(seed: int) -> None:
    """The simulator's: latencies and errors drift over twenty minutes, traffic with the hour."""
    feed = SessionFeed(seed=seed, history=3 * 3_600.0)
    windows: list[WindowSample] = []
    for _ in range(12):
        feed.run(300)
        made = feed.session.snapshot(View(moment=True)).moment
        assert made is not None
        windows.append(made)
    found = [compare(a, b) for gap in (1, 2, 4, 8) for a, b in zip(windows, windows[gap:], strict=False)]
    calm = [one for one in found if not any(row.name in NEUTRAL for row in one.news)]
    assert sum(bool(one.news or one.segments) for one in calm) <= 0.05 * len(calm)


@pytest.mark.parametrize("seed", range(12))
def test_a_change_planted_in_a_segment_is_found_first(seed: int) -> None:
    dice = np.random.default_rng(seed)
    key = CELLS[int(dice.integers(len(CELLS)))]
    where = key[:2] if seed % 2 else key[1:2]
    after = (Odds(times=1.5), Odds(more=0.25), Odds(less_success=0.5))[seed % 3]
    after.where = where
    found = pair(seed, Odds(), after)
    first = found.segments[0]
    assert first.where == where
    assert first.change.finding == "worse"
    assert first.change.name in (("e2e P50", "e2e P95"), ("errors",), ("success",))[seed % 3]
    assert not first.rest.news
    assert first.change.low <= first.change.difference <= first.change.high


def test_a_pair_is_named_once_and_not_again_as_its_values() -> None:
    found = pair(4, Odds(), Odds(where=PAIR, times=2.0))
    assert [one.where for one in found.segments] == [PAIR]


def test_a_fleet_wide_change_is_significant_in_the_table() -> None:
    found = pair(9, Odds(), Odds(times=1.2, more=0.06))
    for name in ("e2e P50", "e2e P95", "llm_ttft P50", "errors", "error:llm:timeout"):
        one = row(found, name)
        assert one.finding == "worse"
        assert 0 < one.low < one.difference < one.high
    assert row(found, "e2e P50").difference == pytest.approx(160, rel=0.25)
    assert row(found, "success").finding == row(found, "sentiment").finding == "noise"


def test_better_and_worse_follow_the_figure() -> None:
    found = pair(2, Odds(times=1.4, success=0.6), Odds(success=0.9))
    assert row(found, "e2e P50").finding == "better"
    assert row(found, "success").finding == "better"
    found = pair(2, Odds(calls=300), Odds(calls=900))
    assert row(found, "live calls").finding == row(found, "turns").finding == "changed"


def test_too_few_calls_are_reported() -> None:
    found = pair(1, Odds(calls=6), Odds(calls=900))
    assert row(found, "success").finding == "few"
    assert row(found, "e2e P99").finding == "few"
    assert not found.segments


def test_a_comparison_can_be_narrowed_to_any_segment_later() -> None:
    dice = np.random.default_rng(6)
    a, b = moment(dice, 0.0), moment(dice, 1_000.0, Odds(where=PAIR, times=2.0))
    whole, theirs, others = compare(a, b), compare(a, b, PAIR), compare(a, b, (("intent", "orders"),))
    assert row(theirs, "e2e P50").finding == "worse"
    assert not others.news
    assert row(theirs, "e2e P50").n_a < row(whole, "e2e P50").n_a / 5
    by_intent = [compare(a, b, (("intent", value),)) for value in SEGMENTS["intent"]]
    for name in ("e2e P50", "success", "live calls", "errors"):
        assert sum(row(one, name).n_a for one in by_intent) == row(whole, name).n_a


def test_overlapping_windows_are_reported() -> None:
    dice = np.random.default_rng(1)
    a = moment(dice, 0.0)
    assert compare(a, moment(dice, 200.0)).overlap_s == 100.0
    assert compare(a, moment(dice, 300.0)).overlap_s == 0.0
    assert compare(a, a).overlap_s == 300.0
    assert not compare(a, a).news


def test_natural_variation_is_not_significant() -> None:
    """5 % slower with thousands of turns is beyond the doubt of n, and no news where latency often varies as much."""
    dice = np.random.default_rng(8)
    a, b = moment(dice, 0.0, Odds(calls=3_000)), moment(dice, 1_000.0, Odds(calls=3_000, times=1.05))
    assert row(compare(a, b), "e2e P50").news
    known = replace(a, natural_variation=(("e2e P50", 0.04),), units=90)
    assert not row(compare(known, b), "e2e P50").news
    assert compare(known, b).units == 90
    told_later = replace(b, natural_variation=(("e2e P50", 0.4),), units=90)
    assert row(compare(a, told_later), "e2e P50").news
