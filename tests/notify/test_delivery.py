"""Delivery against real servers that fail in every way: nothing is lost, nothing is out of order."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from notify.receivers import Receiver, effect
from voicetop.clock import Clock, WallClock
from voicetop.notify.delivery import Delivery, run_in_thread
from voicetop.notify.queue import DeliveryQueue
from voicetop.notify.secrets import SecretStore
from voicetop.notify.settings import NotifyConfig, PagerDutyTarget, SlackTarget
from voicetop.notify.targets.base import IncidentChange
from voicetop.notify.targets.registry import targets_of

pytest.importorskip("pagerduty")
pytest.importorskip("slack_sdk")
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Shifted(WallClock):
    """A clock whose time of day a test sets."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    def set(self, hour: int, minute: int = 0) -> None:
        """Move forward to that time of day, UTC."""
        wanted = hour * 3600 + minute * 60
        self.ahead += (wanted - self.time()) % 86_400


@asynccontextmanager
async def delivering(
    receiver: Receiver,
    path: Path,
    log: list[str] | None = None,
    clock: Clock | None = None,
    quiet: str = "",
    first_wait_s: float = 0.05,
) -> AsyncIterator[Delivery]:
    """To PagerDuty and Slack, both played by `receiver`."""
    config = NotifyConfig(
        quiet=quiet,
        pagerduty={"p": PagerDutyTarget("env:A", receiver.url)},
        slack={"s": SlackTarget("env:A", "#ops", f"{receiver.url}/api/")},
    )
    targets = targets_of(config, SecretStore({"A": "secret-secret"}), utc=True)
    said = [] if log is None else log
    queue = DeliveryQueue(path)
    delivery = Delivery(queue, targets, clock or WallClock(), said.append, first_wait_s=first_wait_s)
    running = asyncio.create_task(delivery.run())
    try:
        yield delivery
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        delivery.queue.close()
        for target in targets:
            target.close()


async def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what it waits for is elsewhere
            await asyncio.sleep(0.02)


async def test_a_page_is_out_within_a_second(receiver: Receiver, tmp_path: Path) -> None:
    async with delivering(receiver, tmp_path / "q.db") as delivery:
        began = time.monotonic()
        delivery.enqueue([effect()])
        await until(lambda: receiver.open and receiver.messages)
        assert time.monotonic() - began < 20


async def test_only_critical_alerts_page_and_warnings_go_to_the_chat(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with delivering(receiver, tmp_path / "q.db") as delivery:
        delivery.enqueue(
            [effect(tier="warning"), effect(number=2, tier="info"), effect(number=3, silenced=True)]
        )
        delivery.enqueue([IncidentChange("c", 1.7e9, "deploy", "v42")])
        assert await delivery.flush(10)
        assert receiver.open == {}
        assert len(receiver.messages) == 1
        assert len(receiver.changes) == 1
        delivery.enqueue([effect("worse")])
        assert await delivery.flush(10)
        assert list(receiver.open) == ["voicetop-1"]
        delivery.enqueue([effect("resolved"), effect("resolved", 3, silenced=True)])
        assert await delivery.flush(10)
    assert receiver.open == {}
    assert [body["event_action"] for path, body in receiver.requests if path == "/v2/enqueue"].count(
        "resolve"
    ) == 2


async def test_a_storm_with_random_failures_loses_and_duplicates_nothing(
    receiver: Receiver, tmp_path: Path
) -> None:
    dice = random.Random(7)
    receiver.chance = lambda: dice.choice([""] * 9 + ["500", "reset", "late reset", "429 0.1"])
    async with delivering(receiver, tmp_path / "q.db") as delivery:
        for number in range(15):
            delivery.enqueue([effect(number=number)])
            delivery.enqueue([effect("resolved", number)])
        assert await delivery.flush(60)
        assert delivery.queue.counts().done == 60
    assert receiver.open == {}
    assert set(receiver.opened.values()) == {1}
    assert len(receiver.opened) == 15
    texts = [message[-1]["text"] for message in receiver.messages.values()]
    assert len({text for text in texts if "RESOLVED" in text}) == 15


async def test_a_target_that_asks_to_wait_is_paused(receiver: Receiver, tmp_path: Path) -> None:
    receiver.fails = ["429 1"] * 4
    async with delivering(receiver, tmp_path / "q.db") as delivery:
        began = time.monotonic()
        delivery.enqueue([effect(number=1), effect(number=2)])
        await until(lambda: len(receiver.open) == 2 and len(receiver.messages) == 2)
    assert receiver.times[0] - began >= 0.9


async def test_a_rejection_is_logged_once_and_retried_until_fixed(receiver: Receiver, tmp_path: Path) -> None:
    log: list[str] = []
    receiver.chance = lambda: "400"
    async with delivering(receiver, tmp_path / "q.db", log) as delivery:
        delivery.enqueue([effect(number=1), effect(number=2)])
        await until(lambda: len(delivery.failing) == 2)
        receiver.chance = lambda: ""
        await until(lambda: not delivery.failing)
        assert await delivery.flush(10)
    lines = [line for line in log if line.startswith("pagerduty.p")]
    assert len(lines) == 2
    assert "Invalid routing key" in lines[0]
    assert lines[1] == "pagerduty.p: accepts alerts again"
    assert "secret-secret" not in "".join(log)


async def test_pending_messages_are_sent_by_the_next_process(receiver: Receiver, tmp_path: Path) -> None:
    receiver.chance = lambda: "500"
    async with delivering(receiver, tmp_path / "q.db") as delivery:
        delivery.enqueue([effect()])
        await until(lambda: delivery.failing)
        assert not await delivery.flush(0.1)
    receiver.chance = lambda: ""
    async with delivering(receiver, tmp_path / "q.db"):
        await until(lambda: receiver.open and receiver.messages)


def texts_of(receiver: Receiver) -> list[str]:
    """The current text of each Slack message."""
    return [message[-1]["text"] for message in receiver.messages.values()]


async def test_in_quiet_hours_a_chat_gets_critical_alerts_only_and_a_digest_later(
    receiver: Receiver, tmp_path: Path
) -> None:
    clock = Shifted()
    clock.set(21)
    async with delivering(receiver, tmp_path / "q.db", clock=clock, quiet="22:00-07:00") as delivery:
        delivery.enqueue([effect(tier="warning")])
        assert await delivery.flush(10)
        clock.set(23)
        delivery.enqueue([effect("resolved", tier="warning")])
        for number in (2, 3, 4):
            delivery.enqueue([effect(number=number, tier="warning")])
        delivery.enqueue([effect("resolved", 2, tier="warning"), effect("resolved", 3, tier="warning")])
        delivery.enqueue([effect(number=5)])
        assert await delivery.flush(10)
        assert len(receiver.messages) == 2
        assert "RESOLVED" in texts_of(receiver)[0], "a message that is changed rings nobody"
        assert "CRITICAL" in texts_of(receiver)[1]
        clock.set(7, 1)
        delivery.wake()
        await until(lambda: len(receiver.messages) == 4)
        assert await delivery.flush(10)
        assert sorted(texts_of(receiver)[2:]) == [
            "2 alerts fired and resolved in quiet hours; 1 still firing, sent separately",
            "▲ WARNING · LLM errors 41 % (normal 0.4 %, n 312), incident 4",
        ]
        delivery.enqueue([effect("resolved", 4, tier="warning")])
        assert await delivery.flush(10)
    assert len(receiver.messages) == 4
    assert sum("RESOLVED" in text for text in texts_of(receiver)) == 2


async def test_a_rejected_message_waits_far_longer_than_a_failed_one(
    receiver: Receiver, tmp_path: Path
) -> None:
    waits = {}
    for failure in ("500", "400"):
        receiver.fails = [failure] * 100  # for all that is sent to either target
        async with delivering(receiver, tmp_path / f"{failure}.db", first_wait_s=10) as delivery:
            delivery.enqueue([effect()])
            await until(partial(delivery.failing.get, "pagerduty.p"))
            due = delivery.queue.next_due("pagerduty.p")
            assert due is not None
            waits[failure] = due - time.time()
    assert waits["400"] > 3 * waits["500"]


async def test_a_delivery_that_is_cancelled_as_its_answer_arrives_ends() -> None:
    """A stopping watcher must not go on because a target answered in the same moment."""
    may_answer = threading.Event()
    sending = asyncio.create_task(run_in_thread(lambda: str(may_answer.wait(20))))
    await asyncio.sleep(0)  # the thread has started
    may_answer.set()
    for thread in threading.enumerate():
        if thread.name == "voicetop notify":
            thread.join()  # its answer is the loop's next step, the cancellation the one after
    asyncio.get_running_loop().call_soon(sending.cancel)
    with pytest.raises(asyncio.CancelledError):
        await sending
