"""Every shipped recording plays, and the keys in its README lead to what it describes."""

from __future__ import annotations

import asyncio
import math
import re
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from recording.recording_samples import read_all
from voicetop import config
from voicetop.cli.replay import open_player
from voicetop.engine.snapshot import View
from voicetop.formatting.times import parse_time
from voicetop.recording.index import BlockIndex, is_closed
from voicetop.replay.options import PlaybackStart
from voicetop.replay.player import Player
from voicetop.replay.seek import Seeker
from voicetop.session import Session
from voicetop.ui.app import ConsoleApp
from voicetop.ui.lines import text_of

HERE = Path(__file__).parents[2] / "recordings"
README = (HERE / "README.md").read_text(encoding="utf-8")
NAMES = re.findall(r"^## ([\w.-]+\.vtr)$", README, re.MULTILINE)
MOST_BYTES = 1_000_000
PERSONAL = re.compile(rb"/(?:home|root|work|opt|tmp|Users)/|\.local\b")


class Find(NamedTuple):
    """A row of a table: where to go, what to press, the words that are there."""

    moment: str
    keys: list[str]
    words: list[str]


def finds(name: str) -> list[Find]:
    section = README.split(f"## {name}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\+\S+) \| (.*?) ?\| (.+) \|$", section, re.MULTILINE)
    assert len(rows) >= 3
    return [Find(at, keys.lower().split(), re.findall(r"\*([^*]+)\*", words)) for at, keys, words in rows]


@contextmanager
def playing(name: str) -> Iterator[Player]:
    """As `voicetop replay` opens it, standing still."""
    player = open_player(
        HERE / name, name, PlaybackStart(playing=False), config.Config(), author="test", problem=str
    )
    player.start()
    yield player
    player.close()


async def go(player: Player, moment: str) -> None:
    index = BlockIndex(HERE / player.link.where)
    at = parse_time(moment, first=index.first_at, last=index.last_at)
    player.seek(at)
    async with asyncio.timeout(60):
        while not (math.isnan(player.position.seeking) and abs(player.position.at - at) < 0.5):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def find(player: Player, row: Find) -> None:
    await go(player, row.moment)
    app = ConsoleApp(player, title=player.link.where, utc=True)
    async with app.run_test(size=(124, 44)) as pilot:
        await pilot.press(*row.keys)
        missing = row.words
        for _ in range(600):
            screen = " ".join(" ".join(map(text_of, app.sheet.lines)).split())
            missing = [words for words in row.words if words not in screen]
            if not missing:
                return
            await pilot.pause(0.05)
        pytest.fail(f"{row.moment}: {missing} not in\n" + "\n".join(map(text_of, app.sheet.lines)))


def test_the_readme_describes_every_recording() -> None:
    assert len(NAMES) >= 3
    assert sorted(NAMES) == sorted(path.name for path in HERE.glob("*.vtr"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
async def test_the_keys_in_the_readme_lead_to_what_it_describes(name: str) -> None:
    with playing(name) as player:
        for row in finds(name):
            await find(player, row)
        assert player.error == ""


@pytest.mark.parametrize("name", NAMES)
def test_it_is_complete_small_and_names_no_machine(name: str) -> None:
    assert (HERE / name).stat().st_size <= MOST_BYTES
    assert is_closed(HERE / name)
    records, notes = read_all(HERE / name)
    assert notes == []
    assert len(records) > 200
    assert not PERSONAL.search(repr(records).encode())
    assert not getattr(records[0], "state", b"")  # a state would be read by one version of voicetop only


def test_the_script_reproduces_a_simulated_recording_record_by_record(tmp_path: Path) -> None:
    """Where the simulator was changed on purpose: python recordings/make.py llm-outage billing-es-v42."""
    make = runpy.run_path(str(HERE / "make.py"))
    make["main"]([str(tmp_path), "billing-es-v42"])
    name = "billing-es-v42.vtr"
    assert read_all(tmp_path / name) == read_all(HERE / name)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o644


def test_the_verdict_counts_the_stuck_callers_of_the_same_moment() -> None:
    """Second by second through an outage, with moments in which nobody is stuck between those with many."""
    seeker = Seeker(HERE / "llm-outage.vtr", Session)
    start = seeker.index.first_at + 90
    cursor, told = seeker.seek(start), []
    for second in range(300):
        cursor.advance_to(start + second)
        snap = cursor.session.snapshot(View())
        found = re.search(r"(\d+) of (\d+) waiting callers stuck", snap.verdict.text)
        if found:
            assert (int(found[1]), int(found[2])) == (snap.waiting.stuck, snap.waiting.waiting), second
            told.append(snap.waiting.stuck)
    assert len(set(told)) > 3
