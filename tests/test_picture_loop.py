"""Snapshots are made for who asks, and leave the thread to folding in between."""

from __future__ import annotations

from typing import cast

from ui import synthetic
from voicetop.engine.snapshot import Snapshot, View
from voicetop.picture_loop import BORROWED_S, HIDDEN_PER_S, PICTURES_PER_S, REST_FACTOR, PictureLoop
from voicetop.session import Session

COST_S = 0.1


class Slow:
    """A session of which a snapshot takes a tenth of a second."""

    def __init__(self) -> None:
        self.now = 50.0
        self.views: list[View] = []

    def snapshot(self, view: View) -> Snapshot:
        self.now += COST_S
        self.views.append(view)
        return synthetic.busy()


def make(pictures: PictureLoop, session: Slow) -> None:
    pictures.make(cast("Session", session), lambda: session.now)


def test_who_asked_gets_the_next_one_once_and_its_view_stays() -> None:
    pictures, session, answers = PictureLoop(), Slow(), list[Snapshot]()
    pictures.ask(View(span="24h"), answers.append)
    assert pictures.requested
    make(pictures, session)
    make(pictures, session)
    assert not pictures.requested
    assert [view.span for view in session.views] == ["24h", "24h"]
    assert len(answers) == 1
    assert pictures.latest is not None


def test_folding_has_the_thread_for_longer_than_the_snapshot_took() -> None:
    pictures, session = PictureLoop(), Slow()
    make(pictures, session)
    assert abs(pictures.free_at - (session.now + REST_FACTOR * COST_S)) < 1e-9


def test_many_that_are_asked_for_borrow_no_more_than_there_is() -> None:
    pictures, session = PictureLoop(), Slow()
    for _ in range(50):
        make(pictures, session)
    assert pictures.free_at - session.now <= BORROWED_S + REST_FACTOR * COST_S + 1e-9


def test_what_is_out_of_sight_needs_fewer() -> None:
    pictures = PictureLoop()
    assert pictures.every_s == 1 / PICTURES_PER_S
    pictures.ask(View(limit=0))
    assert pictures.every_s == 1 / HIDDEN_PER_S
