"""From any start, a cursor at a given time holds the state of the last heartbeat before it."""

from __future__ import annotations

import math

import msgspec
import pytest

from replay.replay_samples import START, digests, sample_frames
from voicetop.replay.session_cursor import SessionCursor
from voicetop.session import Session
from voicetop.wire.batches import Stamped

SECONDS = 10


def stamped() -> list[Stamped]:
    """A film's welcome and batches, a quarter of a second apart."""
    return [(START + number / 4, frame) for number, frame in enumerate(sample_frames(SECONDS))]


def test_it_advances_to_the_last_heartbeat_and_loses_no_frame() -> None:
    played = digests(sample_frames(SECONDS))
    cursor = SessionCursor(Session(), iter(stamped()))
    for at in (0.0, START + 0.3, START + 2.99, START + 3.0, START + 7.1, START + 500):
        cursor.advance_to(at)
        beats = [beat for beat in played if beat <= at]
        assert cursor.session.at == (beats[-1] if beats else 0.0)
        assert not beats or cursor.session.digest() == played[beats[-1]]
    assert cursor.next_ends_at() == math.inf


@pytest.mark.parametrize("moment", [START + 2.6, START + 4.0])
def test_what_follows_leads_to_the_end(moment: float) -> None:
    played = digests(sample_frames(SECONDS))
    cursor = SessionCursor(Session(), iter(stamped()))
    cursor.advance_to(moment)
    for _, frame in cursor.remaining():
        cursor.session.feed(frame)
    assert cursor.session.digest() == played[START + SECONDS]


def test_an_empty_session_has_no_state() -> None:
    cursor = SessionCursor(Session(), iter(stamped()))
    cursor.advance_to(START - 1)
    assert not cursor.has_state
    cursor.advance_to(START + 1)
    assert cursor.has_state


def test_it_begins_at_the_first_heartbeat_and_no_later() -> None:
    cursor = SessionCursor(Session(), iter(stamped()))
    cursor.advance_to_first_beat(START + 5)
    assert cursor.session.at == START + 0.25


def test_a_welcome_restores_another_session_to_the_same_state() -> None:
    cursor = SessionCursor(Session(), iter(stamped()))
    cursor.advance_to(START + 5)
    other = Session()
    other.feed(msgspec.json.encode(cursor.session.welcome()))
    assert other.digest() == cursor.session.digest()
    assert (other.seq, other.deployment) == (cursor.session.seq, "prod")
