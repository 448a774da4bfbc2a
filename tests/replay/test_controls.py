"""Each request of the screen is taken once, and the last one wins."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from voicetop.engine.snapshot import View
from voicetop.replay.controls import Controls
from voicetop.replay.options import PlaybackStart


def has_state(**start: float | bool) -> Controls:
    """The controls of a playback that has arrived where it was to begin."""
    controls = Controls(PlaybackStart(**start))  # type: ignore[arg-type]
    controls.take()
    controls.arrived(100.0, "")
    return controls


def test_it_begins_by_seeking_to_the_start_position() -> None:
    assert Controls(PlaybackStart(at=70.0, speed=5000.0)).take() == (70.0, True, 1000.0, False)
    beginning = Controls(PlaybackStart(playing=False))
    assert beginning.take() == (-math.inf, False, 1.0, False)
    assert math.isnan(beginning.position.seeking)


def test_a_target_is_returned_once_and_a_later_one_replaces_it() -> None:
    controls = has_state()
    controls.seek(200.0, 200.0)
    controls.seek(999.0, 300.0)
    assert controls.position.seeking == 300.0
    assert controls.superseded
    assert controls.take().target == 999.0
    assert controls.take().target is None
    assert not controls.superseded


def test_a_reported_position_is_ignored_while_another_seek_is_requested() -> None:
    controls = has_state()
    controls.advance(101.0, 1.0)
    assert (controls.position.at, controls.position.actual_speed) == (101.0, 1.0)
    controls.seek(200.0, 200.0)
    controls.advance(102.0, 1.0)
    controls.arrived(102.0, "")
    controls.stop(102.0, "end of recording")
    assert (controls.position.at, controls.position.seeking, controls.ended) == (101.0, 200.0, False)
    controls.take()
    controls.arrived(199.75, "")
    assert (controls.position.at, controls.position.why) == (199.75, "")
    assert math.isnan(controls.position.seeking)


def test_there_is_no_actual_speed_while_paused() -> None:
    controls = has_state()
    controls.pause()
    controls.advance(101.0, 8.0)
    assert math.isnan(controls.position.actual_speed)


def test_a_place_that_cannot_be_read_is_reported_and_pauses() -> None:
    controls = has_state()
    controls.arrived(100.0, "damaged")
    assert (controls.position.playing, controls.position.why) == (False, "damaged")


def test_after_stopping_by_itself_it_resumes_on_play() -> None:
    controls = has_state()
    controls.stop(160.0, "end of recording")
    assert (controls.ended, controls.position.playing) == (True, False)
    controls.play()
    assert (controls.ended, controls.position.why) == (False, "")
    assert controls.take().resumed
    assert not controls.take().resumed


def test_a_request_ends_the_wait() -> None:
    controls = has_state(playing=False)
    wishes: list[Callable[[], None]] = [
        lambda: controls.ask(View(), None),
        controls.play,
        lambda: controls.seek(1.0, 1.0),
        controls.close,
    ]
    for request in wishes:
        resting = threading.Thread(target=controls.wait, args=(None,))
        resting.start()
        request()
        resting.join(5)
        assert not resting.is_alive()
        controls.take()
        controls.pause()
        controls.pictures.requested = False
