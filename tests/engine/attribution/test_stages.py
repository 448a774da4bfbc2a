"""The stage culprit: the stage in which most of the excess of the mean turn lies."""

from __future__ import annotations

import numpy as np
import pytest

from voicetop.engine.attribution.stages import StageExcess, culprit
from voicetop.engine.windows.buckets import BUCKETS, bucket_of
from voicetop.engine.windows.histograms import Histogram


def turns(n: int, **ms: float) -> dict[str, Histogram]:
    """So many turns that all take this long."""
    made = {}
    for name, value in ms.items():
        made[name] = np.zeros(BUCKETS, np.int64)
        made[name][bucket_of(np.array([value]))[0]] = n
    return made


USUAL = turns(500, e2e=1_000.0, llm_ttft=400.0, tts_ttfb=200.0)


def test_the_stage_with_most_of_the_excess_is_named_with_its_share_and_its_growth() -> None:
    found = culprit(turns(50, e2e=2_000.0, llm_ttft=1_200.0, tts_ttfb=300.0), USUAL)
    assert found.stage == "llm_ttft"
    assert found.share == pytest.approx(0.8, abs=0.02)
    assert found.more_ms == pytest.approx(800, abs=15)


def test_none_is_named_where_none_stands_out() -> None:
    assert culprit(turns(50, e2e=2_000.0, llm_ttft=500.0, tts_ttfb=300.0), USUAL) == StageExcess()
    assert culprit(turns(50, e2e=1_100.0, llm_ttft=480.0), USUAL) == StageExcess(), "80 ms are nothing"
    assert culprit(turns(10, e2e=2_000.0, llm_ttft=1_200.0), USUAL) == StageExcess(), "of ten turns"
    assert culprit(turns(50, e2e=900.0, llm_ttft=1_200.0), USUAL) == StageExcess(), "replies are no slower"
    assert culprit({}, USUAL) == StageExcess()
