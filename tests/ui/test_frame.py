"""What stands around a page: strips above its footer, and messages in the footer's place."""

from __future__ import annotations

import pytest

from ui import synthetic
from ui.fake_feed import FakeFeed
from ui.fake_past import live_feed
from voicetop.ui.app import ConsoleApp
from voicetop.ui.feeds import NamedFeed
from voicetop.ui.frame import MIN_HEIGHT, Frame, with_message
from voicetop.ui.lines import Line, text_of
from voicetop.ui.tour import Tour

PAGE: list[Line] = [((f"line {number}", "text"),) for number in range(12)]


def test_a_message_takes_the_place_of_the_footer() -> None:
    assert with_message(PAGE, "", 40) == PAGE
    shown = [text_of(line).rstrip() for line in with_message(PAGE, "saved", 40)]
    assert shown == [*(f"line {number}" for number in range(11)), " saved"]


@pytest.mark.parametrize(("height", "lines"), [(12, 2), (MIN_HEIGHT, 1)])
def test_a_long_message_takes_more_lines_only_where_there_is_room(height: int, lines: int) -> None:
    shown = [text_of(line) for line in with_message(PAGE[:height], "one two three four", 12)]
    assert len(shown) == height
    assert sum(not text.startswith("line") for text in shown) == lines


def test_strips_are_left_out_where_a_screen_has_no_room_for_them() -> None:
    app = ConsoleApp(FakeFeed(), others=[NamedFeed("two", FakeFeed(synthetic.blind))])
    frame = Frame(app, app.feeds)
    scene = frame.scene(None, "")
    assert frame.strips(scene, None, 80, MIN_HEIGHT) == []
    assert "two" in text_of(frame.strips(scene, None, 80, MIN_HEIGHT + 1)[-1])
    assert len(frame.strips(scene, Tour(app), 80, 24)) > 1


def test_the_banner_offers_what_moves_on_from_where_one_is() -> None:
    feed, past = live_feed()
    app = ConsoleApp(feed)
    frame = Frame(app, app.feeds)
    assert frame.scene(None, "").when is None
    assert feed.latest is not None
    app.feeds.viewed.freeze(feed.latest)
    frozen = frame.scene(None, "").when
    assert frozen is not None
    assert [label for _, label in frozen.hints] == ["live", "back", "go to"]
    app.feeds.viewed.go(past.timeline.first_at)
    gone_back = frame.scene(None, "").when
    assert gone_back is not None
    assert [label for _, label in gone_back.hints] == ["live", "back", "play", "go to"]
