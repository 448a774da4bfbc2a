"""The first lines of every screen: whether what is shown is live."""

from __future__ import annotations

import msgspec
import pytest

from ui import synthetic
from voicetop.cli.plain import line
from voicetop.engine.snapshot import Snapshot, Verdict
from voicetop.sources import LinkState
from voicetop.ui.lines import text_of
from voicetop.ui.renderables.header import header
from voicetop.ui.renderables.scene import Scene


def gone(snap: Snapshot) -> Snapshot:
    """The hub is up, its publishers have been silent for 22 s."""
    feed = msgspec.structs.replace(snap.feed, publishers=3, publishers_silent=3, publishers_silent_s=22.0)
    said = Verdict("blind", "hub is up, but none of its 3 publishers is sending", since=snap.at - 22)
    return msgspec.structs.replace(snap, feed=feed, verdict=said)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_nothing_is_called_live_while_its_publishers_are_silent(width: int) -> None:
    scene = Scene(gone(synthetic.busy()), LinkState("live"))
    text = "\n".join(text_of(part) for part in header(scene, width))
    assert "? SILENT 22 s" in text
    assert "● LIVE" not in text
    assert "? BLIND" in text
    assert "● LIVE" in "\n".join(
        text_of(part) for part in header(Scene(synthetic.busy(), LinkState("live")), width)
    )
    assert line(gone(synthetic.busy())).endswith(" · silent 22 s")


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_feed_that_catches_up_says_how_far_it_is_behind(width: int) -> None:
    snap = synthetic.busy()
    snap = msgspec.structs.replace(snap, feed=msgspec.structs.replace(snap.feed, behind_s=1_574.8))
    text = text_of(header(Scene(snap, LinkState("live")), width)[0])
    assert "◌ CATCHING UP 26 min behind" in text
    assert "LIVE" not in text


def test_a_console_whose_publishers_have_left_says_so_calmly() -> None:
    snap = synthetic.busy()
    said = Verdict("idle", "no publisher connected: the last one has left", since=snap.at - 720)
    scene = Scene(msgspec.structs.replace(snap, verdict=said), LinkState("live"))
    text = "\n".join(text_of(part) for part in header(scene, 100))
    assert "○ NO PUBLISHER" in text
    assert "LIVE" not in text.splitlines()[0]
    assert "○ IDLE  since " in text
    assert "(12 min) · no publisher connected: the last one has left" in text


def test_the_numbers_of_alerts_are_whole_in_60_columns_beside_a_source_in_trouble() -> None:
    snap = synthetic.busy()
    feed = msgspec.structs.replace(snap.feed, attention=1)
    alerts = msgspec.structs.replace(snap.alerts, warning=1, critical=0)
    scene = Scene(msgspec.structs.replace(snap, feed=feed, alerts=alerts), LinkState("live"))
    text = text_of(header(scene, 60)[0])
    assert "▲ feed" in text
    assert text.rstrip().endswith("▲ 1 ■ 0")
