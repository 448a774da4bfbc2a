"""Delivers due messages from the queue, in order per incident, retrying until accepted.

Each target has several workers, so that one slow response delays only its own incident. A failed message is retried
with exponential backoff; a target that says how long to wait pauses as a whole. A rejected message is retried too,
less often: nothing is lost while somebody fixes the configuration.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence

from voicetop.alerts.signals import Effect
from voicetop.clock import Clock
from voicetop.notify import message_text
from voicetop.notify.message_text import RANK
from voicetop.notify.queue import DeliveryJob, DeliveryQueue, QueuedMessage, mark_of
from voicetop.notify.quiet_hours import held_until
from voicetop.notify.targets.base import DeliveryFailed, IncidentChange, Target
from voicetop.wire.frames import DeliveryReport

WORKERS = 4
FIRST_WAIT_S, LONGEST_WAIT_S, LONGEST_REJECTED_WAIT_S = 1.0, 60.0, 300.0
STANDING_BY_S = 120.0
STUCK_S = 45.0
"""Longer than the sum of any library's own timeouts: after this the thread is abandoned."""


class Delivery:
    """Sends effects to targets. `log` takes one line of text at a time; `run` until it is cancelled."""

    def __init__(
        self,
        queue: DeliveryQueue,
        targets: Sequence[Target],
        clock: Clock,
        log: Callable[[str], None],
        *,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self.queue = queue
        self.targets = targets
        self.failing: dict[str, str] = {}
        """The last error of each target that currently fails, by name."""
        self.on_duty = True
        """Whether this process notifies people, rather than another watcher."""
        self.on_delivery_report: Callable[[DeliveryReport], None] = lambda _: None
        """Called after each delivery, to inform the other watchers."""
        self._clock = clock
        self._log = log
        self._first = first_wait_s
        self._wake_ups = {target.name: asyncio.Event() for target in targets}
        self._paused_until = dict.fromkeys(self._wake_ups, 0.0)
        self._logged_trouble = ""

    def enqueue(self, effects: Iterable[Effect | IncidentChange], *, held: bool = False) -> None:
        """Queue messages for the targets that want them. They are on disk when this returns."""
        now = self._clock.time()
        queued = [
            _queued(target, message, now)
            for message in effects
            for target in self.targets
            if self._wants(target, message)
        ]
        if queued and self.queue.put(queued, now, held=held):
            self.wake()
        self._log_disk_trouble()

    def wake(self) -> None:
        """Check the queue now: messages were released, or the network may be back."""
        for wake_up in self._wake_ups.values():
            wake_up.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for target in self.targets:
                for _ in range(WORKERS):
                    workers.create_task(self._work(target))

    async def flush(self, seconds: float) -> bool:
        """Wait up to `seconds` until nothing is pending. Returns whether the queue is empty."""
        end = self._clock.monotonic() + seconds
        while self.queue.counts().pending:
            if self._clock.monotonic() >= end:
                return False
            await self._clock.sleep(0.05)
        return True

    def _wants(self, target: Target, message: Effect | IncidentChange) -> bool:
        """Whether a target wants this message. A silenced incident is sent only once it is resolved."""
        if isinstance(message, IncidentChange):
            return target.takes_changes
        if message.tier not in target.tiers and not any(
            RANK[message.tier] > RANK[tier] for tier in target.tiers
        ):
            return False
        return message.reason == "resolved" or not message.silenced

    async def _work(self, target: Target) -> None:
        wake_up = self._wake_ups[target.name]
        while True:
            now = self._clock.time()
            self._end_quiet(target.name, now)
            job = self.queue.claim(target.name, now) if now >= self._paused_until[target.name] else None
            if job is not None:
                await self._deliver(target, job)
                continue
            wake_up.clear()
            await self._wait(target.name, wake_up)

    def _end_quiet(self, name: str, now: float) -> None:
        """A standby lets the active watcher go first, so that its digest isn't sent twice."""
        after = 0.0 if self.on_duty else STANDING_BY_S
        self.queue.end_quiet(name, now - after, held=not self.on_duty)

    async def _wait(self, name: str, wake_up: asyncio.Event) -> None:
        """Wait for a wake-up, or until a message is due again."""
        due = self.queue.next_due(name)
        now = self._clock.time()
        timeout = 5.0 if due is None else max(0.05, min(5.0, max(due, self._paused_until[name]) - now))
        waiting = asyncio.create_task(wake_up.wait())
        sleeping = asyncio.create_task(self._clock.sleep(timeout))
        try:
            await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            sleeping.cancel()

    async def _deliver(self, target: Target, job: DeliveryJob) -> None:
        try:
            ref = await run_in_thread(lambda: _send(target, job))
        except DeliveryFailed as failure:
            self._retry(target.name, job, failure)
        else:
            self.queue.done(job, ref, self._clock.time())
            self.on_delivery_report(DeliveryReport(job.target, job.thread, mark_of(job.message), ref))
            self._wake_ups[target.name].set()
            if self.failing.pop(target.name, ""):
                self._log(f"{target.name}: accepts alerts again")
            self._log(f"sent to {target.name}: {message_text.in_short(job.message)}")
        self._log_disk_trouble()

    def _retry(self, name: str, job: DeliveryJob, failure: DeliveryFailed) -> None:
        now = self._clock.time()
        wait = min(LONGEST_WAIT_S, self._first * 2.0 ** min(job.tries, 16))
        if failure.refused:
            wait = min(LONGEST_REJECTED_WAIT_S, wait * 8)
        wait = max(wait if not failure.busy else 0.0, failure.after_s, self._first if failure.busy else 0.0)
        if failure.busy:
            self._paused_until[name] = max(self._paused_until[name], now + wait)
        self.queue.retry(job, now + wait, str(failure), now, unsure=failure.unsure)
        if self.failing.get(name) != str(failure):
            self.failing[name] = str(failure)
            self._log(f"{name}: {failure}; kept, will retry")

    def _log_disk_trouble(self) -> None:
        if self.queue.trouble != self._logged_trouble:
            self._logged_trouble = self.queue.trouble
            self._log(self._logged_trouble)


def _queued(target: Target, message: Effect | IncidentChange, now: float) -> QueuedMessage:
    if isinstance(message, IncidentChange):
        return QueuedMessage(target.name, message)
    return QueuedMessage(
        target.name, message, held_until(target.quiet, message, now), target.updates_in_place
    )


def _send(target: Target, job: DeliveryJob) -> str:
    if isinstance(job.message, Effect):
        return target.send(job.message, job.ref)
    if isinstance(job.message, IncidentChange):
        target.send_change(job.message)
    else:
        target.send_digest(job.message)
    return job.ref


async def run_in_thread(call: Callable[[], str]) -> str:
    """Run a blocking call on a daemon thread, which never delays the process's exit.

    Raises what the call raises, and DeliveryFailed if it doesn't return in time.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def settle(result: str, error: BaseException | None) -> None:
        if not answer.done():
            answer.set_exception(error) if error is not None else answer.set_result(result)

    def work() -> None:
        result, error = "", None
        try:
            result = call()
        except DeliveryFailed as failure:
            error = failure
        except Exception as other:  # noqa: BLE001 - an unexpected library error must not end the lane
            error = DeliveryFailed(f"{type(other).__name__}, without an explanation from its library")
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is gone: the job stays in state sending, and is sent again
            return

    threading.Thread(target=work, name="voicetop notify", daemon=True).start()
    try:
        async with asyncio.timeout(STUCK_S):
            return await answer
    except TimeoutError:
        raise DeliveryFailed(f"no response within {STUCK_S:.0f} s", unsure=True) from None
