from __future__ import annotations

import numpy as np

from voicetop.engine.config import EngineConfig
from voicetop.engine.windows.buckets import bucket_of
from voicetop.engine.windows.histograms import METRIC, ROW
from voicetop.engine.windows.ledger import Ledger
from voicetop.engine.windows.slots import FINE, MINUTE, QUARTER, parts_of


def test_a_quarter_is_made_of_its_minutes_and_a_minute_of_itself() -> None:
    assert parts_of((MINUTE, 3)) == [(MINUTE, 3)]
    quarter, *minutes = parts_of((QUARTER, 2))
    assert quarter == (QUARTER, 2)
    assert minutes == [(MINUTE, number) for number in range(30, 45)]


def test_a_quarter_reads_the_same_while_it_is_open_kept_by_minutes_and_merged() -> None:
    ledger = Ledger(EngineConfig(), lambda: None, lambda: ())
    start = 1_760_000_400 // QUARTER * QUARTER
    ledger.advance(start + 30.0)
    metric, bucket = METRIC["e2e"], int(bucket_of(np.array([800.0]))[0])
    index = np.array([metric * ROW // len(METRIC) + bucket], np.uint32)
    ledger.windows.add(np.array([start // FINE]), index)
    ledger.windows.widen(np.array([metric]), np.array([bucket]))
    for passed in (31, 120, 3 * 3600):
        ledger.advance(float(start + passed))
        table, sums = ledger.over_time((QUARTER, start // QUARTER), None, None)
        assert (int(table.sum()), int(table[metric, bucket]), sums) == (1, 1, {})
