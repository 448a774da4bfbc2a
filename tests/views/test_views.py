"""The severity that is asked for at every heartbeat is that of the verdict on the screen."""

from __future__ import annotations

from pathlib import Path

from voicetop.engine.snapshot import View
from voicetop.recording.reader import Reader
from voicetop.session import Session

OUTAGE = Path(__file__).parents[2] / "recordings" / "llm-outage.vtr"
EVERY = 40
"""Heartbeats between two looks: a picture costs more than what it is compared with."""


def test_it_is_the_verdicts_all_through_an_outage() -> None:
    session, seen = Session(), list[tuple[str, str]]()
    beats = 0

    def look(_: object) -> None:
        nonlocal beats
        beats += 1
        if beats % EVERY == 0:
            seen.append((session.snapshot(View(limit=0)).verdict.severity, session.severity))

    session.on_beat.append(look)
    with Reader(OUTAGE) as frames:
        for frame in frames:
            session.feed(frame)
    assert {severity for severity, _ in seen} >= {"ok", "degraded", "down"}
    assert [shown for shown, _ in seen] == [page for _, page in seen]
