"""Going through time in tmux, with the real product: a live feed that is frozen and gone back in, and a recording."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.test_tmux import PROMPT, Tmux

pytestmark = [
    pytest.mark.debian,
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]
RECORDING = Path(__file__).parents[2] / "recordings" / "llm-outage.vtr"


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    window = Tmux(tmp_path, 100, 30)
    window.type(f"unset COLUMNS LINES; PS1='{PROMPT} '; clear")
    window.until(lambda text: text.startswith(PROMPT))
    yield window
    window.end()


def seconds(text: str) -> int:
    """The clock of the first line, in seconds of its day."""
    found = re.search(r"(\d\d):(\d\d):(\d\d)", text.partition("\n")[0])
    assert found, text
    hours, minutes, rest = map(int, found.groups())
    return hours * 3600 + minutes * 60 + rest


def last_line(text: str) -> str:
    """What was said last, or the keys."""
    return text.rstrip().rpartition("\n")[2]


def test_a_live_feed_is_frozen_gone_back_in_bookmarked_and_live_again(tmux: Tmux) -> None:
    tmux.type(f"clear; {sys.executable} -m voicetop demo --history 1 --calls 30 --utc")
    live = tmux.until(lambda text: "● LIVE" in text and re.search(r"LIVE CALLS +\d+", text), 60)
    tmux.until(lambda text: seconds(text) >= seconds(live) + 9)
    tmux.press("Space")
    frozen = tmux.until(lambda text: "❄ FROZEN" in text and "errors ──" in text)
    tmux.press("[")
    back = tmux.until(lambda text: "FROZEN" in text and seconds(text) < seconds(frozen))
    assert 3 <= seconds(frozen) - seconds(back) <= 6
    tmux.press("2", "j", "Enter")
    tmux.shows("── turns")
    tmux.press("m")
    tmux.until(lambda text: "bookmark at " in text and "sent to the hub" in text)
    tmux.until(lambda text: "‹ ◆ bookmark" in text)
    tmux.press("Escape")
    tmux.shows("── live calls")
    tmux.press("g")
    tmux.shows("go to █")
    tmux.type("+0s")
    first = tmux.until(lambda text: "FROZEN" in text and seconds(text) < seconds(back))
    while "◆ bookmark" not in first:  # trouble may have come before
        before = last_line(first)
        tmux.press("e")
        # two may lie in one second, but each has words of its own
        first = tmux.until(lambda text: last_line(text) != before)  # noqa: B023 - used at once
    tmux.press("L")
    tmux.until(lambda text: "● LIVE" in text and "errors ──" not in text)
    tmux.press("q")
    tmux.until(lambda text: PROMPT in text and "LIVE" not in text)


def test_a_recording_is_played_by_keys_to_its_events_its_end_and_back(tmux: Tmux, tmp_path: Path) -> None:
    copy = tmp_path / "outage.vtr"
    shutil.copy(RECORDING, copy)
    tmux.type(f"clear; {sys.executable} -m voicetop replay {copy} --utc")
    tmux.until(lambda text: "▶ REPLAY outage.vtr" in text and "14:00:" in text and "LIVE CALLS" in text, 60)
    tmux.press("Space")
    tmux.shows("paused")
    tmux.press("g")
    tmux.shows("go to █")
    tmux.type("14:01:30")
    tmux.until(lambda text: "14:01:30" in text.partition("\n")[0] and "● OK" in text)
    tmux.until(lambda text: re.search(r" turns .*[▁-▇] {1,9}to   14:08:00", text), 60)
    tmux.press("e", "e")
    down = tmux.until(lambda text: "14:02:" in text.partition("\n")[0] and re.search("DEGRADED|DOWN", text))
    tmux.press("]")
    tmux.until(lambda text: seconds(text) > seconds(down))
    tmux.press("n")
    tmux.shows("note █")
    tmux.type("here it begins")
    tmux.shows("saved with outage.vtr")
    tmux.shows("‹ ◇ note 14:02:")
    tmux.press("]")
    tmux.until(lambda text: seconds(text) > seconds(down) + 6)
    tmux.press("E")
    tmux.shows("◇ note 14:02:")
    tmux.press("+", "+", "+", "Space")
    tmux.until(lambda text: "▶ REPLAY" in text and "· 8×" in text and seconds(text) > seconds(down) + 8)
    tmux.press("L")
    tmux.until(lambda text: "REPLAY outage.vtr" in text and "14:08:00 UTC" in text)
    tmux.press("q")
    tmux.until(lambda text: PROMPT in text and "REPLAY" not in text)
