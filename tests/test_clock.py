"""The clock that tests wind by hand wakes sleepers in the order of their deadlines, and nobody too early."""

from __future__ import annotations

import asyncio

from voicetop.clock import ManualClock, WallClock


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    clock, woken = ManualClock(100.0), []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.time()))

    async with asyncio.TaskGroup() as tasks:
        for seconds in (3.0, 1.0, 2.0):
            tasks.create_task(sleep(seconds))
        await asyncio.sleep(0)
        await clock.advance(1.5)
        assert woken == [(1.0, 101.0)]
        await clock.advance(1.5)
    assert woken == [(1.0, 101.0), (2.0, 102.0), (3.0, 103.0)]
    assert clock.monotonic() == 103.0


async def test_a_sleeper_that_sleeps_again_is_woken_again_within_one_advance() -> None:
    clock, ticks = ManualClock(), []

    async def tick() -> None:
        for _ in range(4):
            await clock.sleep(0.25)
            ticks.append(clock.time())

    task = asyncio.create_task(tick())
    await asyncio.sleep(0)
    await clock.advance(1.0)
    await task
    assert len(ticks) == 4


async def test_no_sleep_is_shorter_than_none() -> None:
    await WallClock().sleep(-1.0)
    await ManualClock().sleep(-1.0)


def test_the_wall_clock_never_steps_back_in_its_monotonic_seconds() -> None:
    clock = WallClock()
    first = clock.monotonic()
    assert clock.monotonic() >= first
    assert clock.time() > 1_700_000_000
