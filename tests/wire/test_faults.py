from __future__ import annotations

from typing import get_args

from voicetop.wire.codec import Codec
from voicetop.wire.events import Malformed, Repaired
from voicetop.wire.faults import (
    MAX_SAMPLE,
    MAX_SOURCES,
    MAX_WHY,
    MEANINGS,
    OTHERS,
    REMEDIES,
    FaultCount,
    FaultKind,
    Faults,
    happened,
    note_fault,
)
from wire_events import frame_of


def test_every_kind_says_what_happened_and_what_to_do() -> None:
    assert set(MEANINGS) == set(REMEDIES) == set(get_args(FaultKind))


def test_what_happened_reads_well_once_and_many_times() -> None:
    for kind in get_args(FaultKind):
        once, often = happened(kind), happened(kind, 1_200)
        assert once.startswith("1 ")
        assert often.startswith("1,200 ")
        assert once.split()[2:] == often.split()[2:] or kind == "filled"
        assert " is" not in often
    assert happened("json", 8) == "8 events read as far as possible"
    assert happened("a later kind") == "1 event a later kind"


def test_the_latest_of_each_kind_is_kept_with_a_count() -> None:
    faults: Faults = {}
    for number in range(50):
        note_fault(faults, "a", "cut", at=float(number), why=f"w{number}", sample=f"s{number}")
    note_fault(faults, "a", "dropped", at=1.0, why="w" * 900, sample="s" * 900, count=3)
    assert faults["a"]["cut"] == FaultCount(50, 49.0, "w49", "s49")
    assert faults["a"]["dropped"] == FaultCount(3, 1.0, "w" * MAX_WHY, "s" * MAX_SAMPLE)


def test_sources_and_kinds_are_bounded() -> None:
    faults: Faults = {}
    for number in range(1_000):
        note_fault(faults, f"source-{number}", f"kind-{number}", at=1.0, why="", sample="")
    assert len(faults) == MAX_SOURCES + 1
    assert faults[OTHERS]["dropped"].count == 1_000 - MAX_SOURCES
    assert set(faults["source-7"]) == {"dropped"}


def test_a_console_counts_what_the_hub_repaired_and_refused() -> None:
    codec = Codec()
    for number in (1, 2):
        why, sample = f"`e2e_ms` is NaN\x1b[{number}m", f"NaN{number}"
        repaired = Repaired(ts=5.0, source="agent-7", kind="dropped", count=number, why=why, sample=sample)
        codec.decode(frame_of([repaired], at=4.0 + number))
    codec.decode(frame_of([Malformed(ts=7.0, source="agent-7", payload=b"{]", error="not JSON")], at=7.0))
    assert codec.stats.faults == {
        "agent-7": {
            "dropped": FaultCount(3, 6.0, "`e2e_ms` is NaN[2m", "NaN2"),
            "refused": FaultCount(1, 7.0, "not JSON", "{]"),
        }
    }
