"""Cases 01, 03, 05, 08 and 10: what is told of calls, and how they are then shown."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from cases.case_files import case, feed
from hub.wound_hub import WoundHub, wound_hub
from voicetop.engine.snapshot import CallDetail, CallRow, View


def row(hub: WoundHub, call_id: str, *, ended: bool = False) -> CallRow:
    [row] = hub.session.snapshot(View(ended=ended)).calls.rows
    assert row.call_id == call_id
    return row


def detail(hub: WoundHub, call_id: str) -> CallDetail:
    seen = hub.session.snapshot(View(call_id=call_id)).detail
    assert seen is not None
    return seen


def faults(hub: WoundHub) -> dict[str, int]:
    """How many bad values of each kind the publisher sent."""
    by_kind = hub.session.codec.stats.faults["cases"]
    return {kind: fault.count for kind, fault in by_kind.items()}


async def test_01_a_caller_who_was_on_hold_for_three_minutes_is_seen_waiting() -> None:
    async with wound_hub() as hub:
        await feed(hub, case("01-held-over-3-min.jsonl").read_text())
        await hub.pass_(9)
        shown = row(hub, "held-1")
        assert (shown.state, shown.eyes, round(shown.waiting_s)) == ("waiting", "stuck", 9)
        assert [turn.user_text for turn in detail(hub, "held-1").turns] == ["a person please", ""]


async def test_03_a_caller_whose_turn_numbers_restart_is_seen_waiting() -> None:
    async with wound_hub() as hub:
        await feed(hub, case("03-turn-ids-restart.jsonl").read_text())
        await hub.pass_(9)
        shown = row(hub, "handoff-1")
        assert (shown.state, shown.eyes, round(shown.waiting_s)) == ("waiting", "stuck", 9)
        assert [turn.index for turn in detail(hub, "handoff-1").turns] == [0, 1, 2]


async def test_05_a_nan_costs_one_value_of_four_events() -> None:
    async with wound_hub() as hub:
        await feed(hub, case("05-nan-in-batch.jsonl").read_text())
        await hub.settle()
        assert row(hub, "nan-1", ended=True).reason == "completed"
        assert len(detail(hub, "nan-1").turns) == 1
        assert hub.hub.feed.validator.malformed == 0


async def test_08_a_tool_result_and_a_reply_that_are_too_long_leave_nobody_stuck() -> None:
    script = case("08-oversize-tool-result.py")
    said = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(script)], capture_output=True, check=True, timeout=60
    )
    async with wound_hub() as hub:
        await feed(hub, said.stdout.decode())
        await hub.pass_(14)
        shown = row(hub, "big-1")
        assert (shown.state, shown.stage, shown.eyes) == ("active", "", "")
        [turn] = detail(hub, "big-1").turns
        assert (turn.e2e_ms, len(turn.agent_text)) == (1_500, 20_000)
        assert faults(hub) == {"cut": 2}


async def test_10_a_call_whose_publisher_was_cut_off_for_over_three_minutes_is_live_again() -> None:
    case("10-partition-over-3-min.py")
    async with wound_hub() as hub:
        await feed(hub, '{"type":"call.start","call_id":"cutoff-call"}\n{"wait":3}')
        hub.source = ""
        await hub.pass_(195)
        assert row(hub, "cutoff-call", ended=True).state == "lost"
        for number in range(13):
            began = hub.clock.now - 195 + 15 * number
            turn = {"call_id": "cutoff-call", "source": "cases", "turn": number}
            await hub.tell({"type": "turn.start", "ts": began, **turn})
            await hub.tell({"type": "turn", "ts": began + 0.5, "e2e_ms": 500.0, **turn})
        await feed(hub, '{"type":"turn.start","call_id":"cutoff-call","turn":13}\n{"wait":9}')
        shown = row(hub, "cutoff-call")
        assert (shown.state, shown.eyes, round(shown.waiting_s)) == ("waiting", "stuck", 9)
        assert len(detail(hub, "cutoff-call").turns) == 14
