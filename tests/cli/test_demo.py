"""`voicetop demo`: hub, fleet and console in one command, and nothing left of them afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from terminal.emulator import alive, descendants
from voicetop.cli import demo, run
from voicetop.live import LiveFeed
from voicetop.sources import Act

Demo = subprocess.Popen[str]


@pytest.fixture
def started() -> Iterator[Demo]:
    with subprocess.Popen(
        [sys.executable, "-m", "voicetop", "demo", "--plain", "--history", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def all_gone(pids: set[int], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while alive(pids) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pids)


def test_it_shows_a_busy_fleet_and_takes_all_of_it_along_when_it_ends(started: Demo) -> None:
    assert started.stdout
    assert started.stderr
    said = started.stdout.readline()
    while "CATCHING UP" in said:
        said = started.stdout.readline()
    live = int(said.partition("| live ")[2].partition("/")[0])
    assert 100 < live < 300
    children = descendants(started.pid)
    assert len(children) == 2
    started.send_signal(signal.SIGINT)
    assert started.wait(30) == 0
    assert started.stderr.read() == ""
    assert all_gone(children)


def test_nothing_is_left_of_a_demo_that_was_killed(started: Demo) -> None:
    assert started.stdout
    started.stdout.readline()
    children = descendants(started.pid)
    started.kill()
    assert all_gone(children)


def test_it_can_be_left_before_the_fleet_is_there(started: Demo) -> None:
    while not descendants(started.pid):
        time.sleep(0.01)
    children = descendants(started.pid)
    started.send_signal(signal.SIGTERM)
    assert started.wait(30) in (0, -signal.SIGTERM)
    assert all_gone(children)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--calls many", "--calls many: give a whole number from 1 to 200,000"),
        ("--incident llm_outag", "there is no incident 'llm_outag'; did you mean 'llm_outage'?"),
        ("--callz 3", "unknown option --callz; did you mean '--calls'?"),
    ],
)
def test_a_bad_option_is_one_line_before_anything_starts(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", "--plain", *words.split()]) == 2
    assert capsys.readouterr() == ("", f"voicetop: {said}\n")


def test_a_fleet_that_cannot_start_says_why() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "voicetop", "demo-feed", "--calls", "many"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    feed = LiveFeed(lambda: (demo.DemoSource(child), None))
    feed.start()
    end = time.monotonic() + 30
    while not feed.ended and time.monotonic() < end:
        time.sleep(0.02)
    demo._end(child)
    feed.close()
    assert feed.error == (
        "the simulated fleet could not start: voicetop: --calls many: give a whole number from 1 to 200,000"
    )


def test_who_plays_with_the_demo_may_note_something() -> None:
    child = demo._start(["--calls", "5", "--history", "0"])
    feed = LiveFeed(lambda: (demo.DemoSource(child), None), author="ada")
    feed.start()
    try:
        assert feed.operate(Act("note", text="x")).endswith("nothing was sent")
        until(lambda: feed.latest is not None and feed.link.phase == "live")
        assert feed.operate(Act("note", text="so that is a demo")) == ""
        until(lambda: feed.latest is not None and feed.latest.memos)
        assert feed.latest is not None
        assert [(memo.text, memo.by) for memo in feed.latest.memos] == [("so that is a demo", "ada")]
    finally:
        feed.close()
        demo._end(child)


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
