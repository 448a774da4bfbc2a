from __future__ import annotations

from itertools import pairwise

import pytest

from voicetop.ui.pace import Pace


class Terminal:
    """A terminal that takes so many bytes a second, looked at every quarter of a second."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.pace = Pace()
        self.now = 0.0
        self.free_at = 0.0
        self.frames = 0

    def run(self, seconds: float, frame: int) -> None:
        end = self.now + seconds
        while self.now < end:
            if self.now >= self.free_at:
                self.pace.taken(self.now)
                if self.pace.due(self.now):
                    self.pace.sent(frame, self.now)
                    self.free_at = self.now + frame / self.speed
                    self.frames += 1
            self.now += 0.25


def test_a_quick_terminal_gets_four_frames_a_second_forever() -> None:
    terminal = Terminal(1_000_000)
    terminal.run(60, 5_000)
    assert terminal.pace.rate == 4
    assert terminal.frames >= 235
    assert terminal.pace.part is None


@pytest.mark.parametrize(("speed", "rate"), [(9_000, 1), (15_000, 2), (4_000, 0.5)])
def test_a_slow_terminal_gets_as_many_as_it_takes(speed: float, rate: float) -> None:
    terminal = Terminal(speed)
    terminal.run(20, 6_000)
    assert terminal.pace.rate == rate
    assert terminal.pace.part is not None
    assert terminal.pace.part <= max(1_000, speed * 0.31)


def test_the_rate_comes_back_when_the_terminal_does() -> None:
    terminal = Terminal(6_000)
    terminal.run(20, 6_000)
    assert terminal.pace.rate < 4
    terminal.speed = 1_000_000
    terminal.run(200, 6_000)
    assert terminal.pace.rate == 4
    assert terminal.pace.part is None


def test_it_does_not_swing_between_two_rates() -> None:
    terminal = Terminal(11_000)
    seen = []
    for _ in range(120):
        terminal.run(1, 3_000)
        seen.append(terminal.pace.rate)
    changes = sum(1 for before, after in pairwise(seen) if before != after)
    assert changes <= 12, seen


def test_one_large_frame_is_no_slow_terminal() -> None:
    pace = Pace()
    pace.sent(60_000, 0.0)
    pace.taken(0.5)
    assert pace.rate == 4


def test_only_a_rate_below_the_wanted_one_needs_words() -> None:
    for most, speed, words in (
        (4, 1_000_000, ""),
        (4, 15_000, "2 frames/s"),
        (4, 9_000, "1 frame/s"),
        (4, 4_000, "1 frame in 2 s"),
        (1, 1_000_000, ""),
        (1, 4_000, "1 frame in 2 s"),
    ):
        terminal = Terminal(speed)
        terminal.pace = Pace(most)
        terminal.run(20, 6_000)
        assert terminal.pace.slowness == words
