"""Feeds whose raw records the oracle counts, and the sessions that see them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec

from truth import oracle
from voicetop.session import Session
from voicetop.simulator import Detail, Fleet, FleetConfig, SimulatedIncident
from voicetop.wire.events import Event, Heartbeat

RECORDINGS = Path(__file__).parents[2] / "recordings"
START = 1_795_356_000.0
"""The end of the history of recordings and simulated runs."""
BRIEF = Detail(texts=0.0, audio=0.2, usage_by_turn=False)
Records: TypeAlias = list[tuple[float, oracle.Event]]


class Look(NamedTuple):
    """A session at a heartbeat, and the calls as the oracle counts them then."""

    session: Session
    calls: list[oracle.Call]


def looks(records: Records, moments: Sequence[float]) -> Iterator[Look]:
    """A session at each of the `moments`, in seconds after START."""
    session, left = Session(), [START + after for after in moments]
    for frame in _frames(records):
        session.feed(frame)
        if left and session.at >= left[0]:
            left.pop(0)
            yield Look(session, oracle.calls_at(session.at, records))
        if not left:
            return
    raise AssertionError("the feed ends before the last moment")


def _frames(records: Records) -> Iterator[bytes]:
    """The records as a hub sends them, a frame for each stamp: none goes on after a heartbeat."""
    seq = 1
    for at, told in groupby(records, key=lambda record: record[0]):
        events = [event for _, event in told]
        for first in range(0, len(events), 500):
            part = events[first : first + 500]
            yield msgspec.json.encode({"type": "batch", "seq": seq, "at": [(at, len(part))], "events": part})
            seq += len(part)


def simulated(
    incident: str, *, at: float, duration: float, until: float, calls: int = 60, source: str = "fleet"
) -> Records:
    """A seeded run of the simulator with one incident, from 25 minutes before START on, a beat a second."""
    fleet = Fleet(
        FleetConfig(
            start=START, seed=20, calls=calls, source=source, history=1_500.0, full=200.0, old_calls=120, detail=BRIEF,
            incidents=(SimulatedIncident(incident, at=at, duration=duration),),
        )
    )  # fmt: skip
    told: list[tuple[float, Event]] = [(START, event) for event in fleet.until(START)]
    for second in range(1, int(until) + 1):
        now = START + second
        told += [(now, event) for event in [*fleet.until(now), Heartbeat(ts=now, seq=0)]]
    return [(stamp, msgspec.json.decode(msgspec.json.encode(event))) for stamp, event in told]


def as_they_are(records: Records, dice: random.Random) -> Records:
    """The same calls as real publishers tell them: turns again once more is known of them, numbers from 0 after a
    handoff, a late duplicate of a `turn.start`, words before their turn.
    """
    told: Records = []
    handed_over = {event["call_id"] for _, event in records if "call_id" in event and dice.random() < 0.3}
    for at, event in records:
        turn, call_id = event.get("turn", -1), event.get("call_id")
        event = {**event, "turn": turn - 2} if call_id in handed_over and turn >= 2 else event  # noqa: PLW2901
        told.append((at, event))
        later = at + dice.uniform(0.5, 6.0)
        if event["type"] == "turn.start":
            words = {"type": "transcript", "role": "user", "text": "my card"}
            told.append((at, {**event, "event_id": f"{event['event_id']}-words", **words}))
        elif event["type"] == "turn" and dice.random() < 0.6:
            more: list[oracle.Event] = [{"agent_text": "Let me see."}, {"interrupted": True}]
            if "e2e_ms" in event:
                more.append({"e2e_ms": event["e2e_ms"] + 300.0, "latency": {"tool": 300.0}})
            head = {key: event[key] for key in ("type", "ts", "call_id", "turn", "source")}
            told.append((later, {**head, "event_id": f"{event['event_id']}-more", **dice.choice(more)}))
            if dice.random() < 0.3:
                early = {"type": "turn.start", "ts": event["ts"] - 0.5}
                told.append((later, {**head, "event_id": f"{event['event_id']}-late", **early}))
    last = max(at for at, event in records if event["type"] == "heartbeat")
    return sorted((record for record in told if record[0] <= last), key=lambda record: record[0])


def together(*feeds: Records) -> Records:
    """Feeds of several publishers as one hub sends them."""
    return sorted((record for feed in feeds for record in feed), key=lambda record: record[0])
