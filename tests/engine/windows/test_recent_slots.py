"""The last five minutes, slot by slot: sums of slots are the window, for everybody and for a segment, late or moved."""

from __future__ import annotations

import random

import numpy as np

from engine.feeding import Line
from voicetop.engine.windows.histograms import METRIC
from voicetop.engine.windows.ledger import Ledger
from voicetop.wire.events import CallEnd, CallStart, CallUpdate, Error, Turn


def agree(ledger: Ledger, at: float, **segment: str) -> None:
    cells = ledger.cells.matching(tuple(segment.items()))
    times, sums = ledger.recent.times(at, cells), ledger.recent.sums(at, cells)
    whole = ledger.windows.histograms("5m", cells, len(ledger.cells))
    assert np.array_equal(times[:, METRIC["e2e"]].sum(axis=0), whole.get("e2e", np.zeros(times.shape[2])))
    counted = ledger.counts.sums("5m", cells)
    for kind in ("started", "error", "ended"):
        assert sum(slot.get(kind, 0) for slot in sums) == counted.get(kind, 0)


def test_slots_add_up_to_the_window_however_late_and_wherever_events_move() -> None:
    line, dice = Line(), random.Random(3)
    for number in range(400):
        name, ts = f"c{number}", line.at - dice.choice((0, 0, 0, 15, 90))
        line.hear(CallStart(ts=ts, call_id=name, segments={"language": dice.choice(("en", "es"))}))
        line.hear(Turn(ts=ts, call_id=name, turn=0, e2e_ms=dice.uniform(300, 3_000)))
        if number % 7 == 0:
            line.hear(Error(ts=ts, call_id=name, component="llm", category="timeout"))
        if number % 3 == 0:
            line.hear(CallUpdate(ts=line.at, call_id=f"c{number // 2}", segments={"language": "fr"}))
        if number % 5 == 0:
            line.hear(CallEnd(ts=line.at, call_id=name, reason="completed"))
        line.pass_(1)
        if number % 20 == 0:
            ledger = line.session.engine.ledger
            agree(ledger, line.at)
            agree(ledger, line.at, language="es")
            agree(ledger, line.at, language="fr")


def test_a_loaded_checkpoint_brings_its_own_slots() -> None:
    line, other = Line(), Line()
    line.turn("c1", 700.0)
    line.pass_(20)
    before = other.session.engine.ledger.recent.times(line.at, None).sum()
    other.session.load(line.session.checkpoint())
    assert before == 0
    agree(other.session.engine.ledger, line.at)
    assert other.session.engine.ledger.recent.times(line.at, None).sum() == 1


def test_the_last_slot_ends_now() -> None:
    line = Line()
    line.pass_(7)
    edges = line.session.engine.ledger.recent.edges(line.at)
    assert len(edges) == 31
    assert edges[-1] == line.at
    assert edges[0] <= line.at - 290
