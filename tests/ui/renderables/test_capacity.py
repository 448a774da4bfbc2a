"""Waiting callers on the screen: those of whom nothing is known are told apart."""

from __future__ import annotations

import msgspec
import pytest

from ui import synthetic
from voicetop.cli.plain import line
from voicetop.engine.snapshot import NAN
from voicetop.ui.lines import text_of
from voicetop.ui.renderables.call import state_text
from voicetop.ui.renderables.calls import WAITING
from voicetop.ui.renderables.overview import overview
from voicetop.ui.renderables.plain_text import row_text
from voicetop.ui.style.display_options import DisplayOptions

OPTIONS = DisplayOptions(utc=True)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 50)])
def test_unknown_waits_have_a_line_of_their_own(width: int, height: int) -> None:
    snap = synthetic.incident()
    words = "5 replies unknown since 14:02:10: their publisher has been silent"
    assert "unknown since" not in "\n".join(map(text_of, overview(snap, OPTIONS, width, height)))
    waiting = msgspec.structs.replace(snap.waiting, unknown=5, unknown_since=snap.at - 322)
    snap = msgspec.structs.replace(snap, waiting=waiting)
    lines = overview(snap, OPTIONS, width, height)
    assert sum(words in text_of(each) for each in lines) == 1
    assert len(lines) == height
    assert f" · {words.replace(':10', ':10Z')} · " in line(snap)


def test_a_call_with_an_unknown_wait_says_so_in_the_list_on_its_page_and_when_copied() -> None:
    snap = synthetic.incident()
    row = msgspec.structs.replace(
        snap.calls.rows[0], eyes="", state="unknown", waiting_s=NAN, unknown_since=snap.at - 322
    )
    words = "1 reply unknown since 14:02:10: its publisher has been silent"
    assert WAITING.write(row, OPTIONS) == ("? unknown", "blind")
    assert state_text(row, OPTIONS) == (f"? {words}", "blind")
    assert f" · {words} · " in row_text(row, OPTIONS)
