from __future__ import annotations

from math import inf, isnan

import pytest

from ui import synthetic
from ui.fake_feed import FakeFeed
from ui.fake_past import FIRST, LAST, live_feed, replay, timeline
from voicetop.engine.snapshot import Snapshot, View
from voicetop.ui.time.viewed_time import VERDICT_ONLY, ViewedTime


def nobody(_: Snapshot) -> None:
    return


def frozen(*, instant: bool = True) -> ViewedTime:
    feed, _ = live_feed(instant=instant)
    stand = ViewedTime(feed)
    assert feed.latest is not None
    stand.freeze(feed.latest)
    return stand


def test_what_is_now_is_the_feeds_own() -> None:
    feed, past = live_feed()
    stand = ViewedTime(feed)
    assert stand.kind is None
    assert stand.picture is feed.latest
    stand.ask(View(span="30m"), nobody)
    assert feed.asked[-1].span == "30m"
    assert not past.asked


def test_in_the_past_it_is_the_past_that_is_asked_and_the_feed_gives_its_verdict_only() -> None:
    stand = frozen()
    assert stand.kind == "past"
    stand.ask(View(span="30m", text="es"), nobody)
    assert stand.past is not None
    assert stand.past.latest is stand.picture
    assert stand.picture is not None
    assert stand.picture.view.text == "es"
    assert isinstance(stand.feed, FakeFeed)
    assert stand.feed.asked[-1] == VERDICT_ONLY


def test_the_live_picture_stands_until_the_past_has_one() -> None:
    feed, _ = live_feed(instant=False)
    stand, held = ViewedTime(feed), feed.latest
    assert held is not None
    stand.freeze(held)
    assert stand.picture is held
    assert stand.seeking
    stand.past.arrive()  # type: ignore[union-attr]
    assert stand.picture is not held
    assert stand.picture is stand.past.latest  # type: ignore[union-attr]


def test_steps_add_up_while_a_seek_is_under_way() -> None:
    stand = frozen(instant=False)
    for _ in range(3):
        stand.go(stand.here - 5.0)
    assert stand.here == LAST - 15.0
    stand.past.arrive()  # type: ignore[union-attr]
    assert stand.here == LAST - 15.0


def test_a_step_back_from_live_stands_still_there() -> None:
    feed, past = live_feed()
    past.play()
    stand = ViewedTime(feed)
    stand.go(stand.here - 5.0)
    assert stand.kind == "past"
    assert past.position.at == LAST - 5.0
    assert not past.position.playing


def test_nothing_before_the_beginning_and_now_is_live_again() -> None:
    stand = frozen()
    assert stand.go(FIRST - 1000.0) == FIRST
    assert stand.kind == "past"
    stand.go(LAST + 5.0)
    assert stand.live


def test_going_on_is_live_again_as_long_as_nobody_has_moved() -> None:
    stand = frozen()
    assert stand.resumes_live
    stand.go(LAST - 60.0)
    stand.go(LAST - 30.0)
    assert not stand.resumes_live
    stand.play_or_pause()
    assert stand.position.playing
    stand.play_or_pause()
    assert not stand.position.playing
    assert stand.kind == "past"
    other = frozen()
    other.play_or_pause()
    assert other.live


def test_what_is_played_from_the_past_becomes_live_when_it_has_caught_up() -> None:
    stand = frozen()
    stand.go(LAST - 30.0)
    stand.play_or_pause()
    assert not stand.catch_up()
    stand.past.move(at=LAST - 0.5)  # type: ignore[union-attr]
    assert stand.catch_up()
    assert stand.live
    assert not stand.feed.past.position.playing  # type: ignore[union-attr]


def test_without_a_past_the_picture_is_held_and_made_for_nothing_else() -> None:
    feed = FakeFeed()
    stand = ViewedTime(feed)
    assert feed.latest is not None
    held = feed.latest
    stand.freeze(held)
    feed.step(40)
    assert stand.kind == "held"
    assert stand.picture is held
    assert stand.ask(held.view, nobody)
    assert not stand.ask(View(text="x"), nobody)
    stand.play_or_pause()
    assert stand.picture is feed.latest


def test_a_replay_is_its_own_past_and_has_no_now() -> None:
    past = replay()
    stand = ViewedTime(past)
    assert stand.kind == "replay"
    stand.play_or_pause()
    assert past.position.playing
    stand.go(FIRST + 20.0)
    assert past.position.at == FIRST + 20.0
    assert past.position.playing
    assert stand.go(LAST + 100.0) == LAST
    stand.go(FIRST)
    stand.go_live()
    assert past.position.at == LAST
    assert not stand.catch_up()


def test_the_end_of_a_recording_that_grows_is_where_it_ends_then() -> None:
    past = replay(instant=False)
    past.timeline = timeline(complete=False)
    stand = ViewedTime(past)
    stand.go_live()
    assert past.position.seeking == inf
    assert stand.go(LAST + 100.0) == LAST + 100.0


def test_speeds_go_up_and_down_to_their_ends() -> None:
    stand = ViewedTime(replay())
    speeds = []
    while (speed := stand.change_speed(1)) is not None:
        speeds.append(speed)
    assert speeds == [2, 4, 8, 16, 32, 64, 125, 250, 500, 1000, inf]
    while (speed := stand.change_speed(-1)) is not None:
        speeds.append(speed)
    assert speeds[-3:] == [1, 0.5, 0.25]


@pytest.mark.parametrize("asked", [3.0, 100.0])
def test_a_speed_of_ones_own_has_neighbours_too(asked: float) -> None:
    past = replay()
    stand = ViewedTime(past)
    past.set_speed(asked)
    up = stand.change_speed(1)
    assert up is not None
    assert up > asked


def test_live_has_one_speed() -> None:
    feed, _ = live_feed()
    assert ViewedTime(feed).change_speed(1) is None


def test_before_the_first_picture_nobody_knows_where_it_stands() -> None:
    assert isnan(ViewedTime(FakeFeed(None)).here)


def test_out_of_sight_both_are_asked_for_a_verdict_only() -> None:
    feed, past = live_feed(synthetic.busy)
    stand = ViewedTime(feed)
    assert feed.latest is not None
    stand.freeze(feed.latest)
    stand.hide()
    assert feed.asked[-1] == past.asked[-1] == VERDICT_ONLY


def test_who_goes_live_sees_the_past_until_the_live_picture_is_there() -> None:
    stand = frozen()
    before = stand.picture
    stand.go_live()
    assert stand.live
    assert stand.picture is before
    assert stand.kind == "past"
    stand.ask(View(span="24h"), nobody)
    assert stand.picture is stand.feed.latest
    assert stand.kind is None


def test_who_goes_live_does_not_wait_for_a_feed_that_says_nothing() -> None:
    stand = frozen()
    stand.go_live()
    stand.tick()
    assert stand.kind == "past"
    stand.tick()
    assert stand.kind is None


def test_who_turns_round_on_the_way_to_live_is_in_the_past() -> None:
    stand = frozen()
    stand.go_live()
    stand.go(LAST - 60.0)
    assert not stand.live
    stand.tick()
    stand.tick()
    assert stand.kind == "past"
    assert stand.here == LAST - 60.0
