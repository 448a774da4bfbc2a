from __future__ import annotations

from itertools import pairwise

import pytest

from voicetop.ui.terminal.frame_rate import FrameRate


class Terminal:
    """Takes so many bytes a second, and holds 12 kB like a pseudo-terminal; looked at as often as the console looks."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.pace = FrameRate()
        self.now = 0.0
        self.held = 0.0
        self.owed = 0
        self.frames = 0

    def run(self, seconds: float, frame: int) -> None:
        end = self.now + seconds
        while self.now < end:
            if self.held > 12_000:
                self.pace.set_blocked()
            else:
                self._look(frame)
            step = 0.05 if self.owed else 0.25
            self.now += step
            self.held = max(0.0, self.held - self.speed * step)

    def _look(self, frame: int) -> None:
        self.pace.drained(self.now)
        if not self.pace.caught_up(self.now):
            return
        if not self.owed:
            self.pace.frame_complete(self.now)
            if self.pace.due(self.now):
                self.frames += 1
                self.owed = frame
        size = min(self.owed, self.pace.part or self.owed)
        if size:
            self.pace.sent(size, self.now)
            self.held += size
        self.owed -= size


def test_a_quick_terminal_gets_four_frames_a_second_forever() -> None:
    terminal = Terminal(1_000_000)
    terminal.run(60, 5_000)
    assert terminal.pace.rate == 4
    assert terminal.frames >= 235
    assert terminal.pace.part is None


@pytest.mark.parametrize(("speed", "rates"), [(9_000, (1, 2)), (18_000, (2,)), (4_000, (0.5, 1))])
def test_a_slow_terminal_gets_as_many_as_it_takes(speed: float, rates: tuple[float, ...]) -> None:
    terminal = Terminal(speed)
    terminal.run(20, 6_000)
    assert terminal.pace.rate in rates
    assert terminal.pace.part is not None
    assert terminal.pace.part <= max(1_000, speed * 0.6)


def test_the_rate_comes_back_when_the_terminal_does() -> None:
    terminal = Terminal(6_000)
    terminal.run(20, 6_000)
    assert terminal.pace.rate < 4
    terminal.speed = 1_000_000
    terminal.run(200, 6_000)
    assert terminal.pace.rate == 4
    assert terminal.pace.part is None or terminal.pace.part >= 6_000


def test_it_does_not_swing_between_two_rates() -> None:
    terminal = Terminal(11_000)
    seen = []
    for _ in range(120):
        terminal.run(1, 3_000)
        seen.append(terminal.pace.rate)
    changes = sum(1 for before, after in pairwise(seen) if before != after)
    assert changes <= 12, seen


def test_one_large_frame_is_no_slow_terminal() -> None:
    pace = FrameRate()
    assert pace.due(0.0)
    pace.sent(60_000, 0.0)
    pace.set_blocked()
    pace.drained(0.5)
    pace.frame_complete(0.5)
    assert pace.rate == 4


def test_a_busy_machine_is_no_slow_terminal() -> None:
    pace, now = FrameRate(), 0.0
    for _ in range(20):
        assert pace.due(now)
        pace.sent(6_000, now)
        now += 0.9
        pace.drained(now)
        pace.frame_complete(now)
    assert pace.rate == 4
    assert pace.part is None


def test_only_a_rate_below_the_wanted_one_needs_words() -> None:
    assert FrameRate().slowness == FrameRate(1).slowness == ""
    terminal = Terminal(3_000)
    words = []
    for _ in range(20):
        terminal.run(1, 6_000)
        words.append(terminal.pace.slowness)
    assert words[-1] in ("1 frame in 2 s", "1 frame/s")
    assert "2 frames/s" in words
