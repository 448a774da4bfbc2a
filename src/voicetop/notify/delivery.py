"""Takes from the outbox what is due and tells it: in order for each incident, as often as it takes.

A few lanes for each target, so that one slow answer holds up nobody but its own incident. What fails comes back after
a wait that grows; where a target says how long to wait, the whole target waits. A target that says no is asked again
too, less often: somebody may mend it, and until then nothing is lost.
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
from voicetop.notify.quiet_hours import waits_until
from voicetop.notify.targets.base import DeliveryFailed, IncidentChange, Target
from voicetop.wire.frames import DeliveryReport

LANES = 4
FIRST_WAIT_S, LONGEST_WAIT_S, AFTER_NO_S = 1.0, 60.0, 300.0
STANDING_BY_S = 120.0
STUCK_S = 45.0
"""Longer than any library's own limits add up to: then the thread is given up."""


class Delivery:
    """Hands effects over to targets. `log` takes a line of text at a time; `run` until it is cancelled."""

    def __init__(
        self,
        outbox: DeliveryQueue,
        targets: Sequence[Target],
        clock: Clock,
        log: Callable[[str], None],
        *,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self.outbox = outbox
        self.targets = targets
        self.failing: dict[str, str] = {}
        """Why a target takes nothing at the moment, by its name."""
        self.on_duty = True
        """Whether it is this process that tells people, and not another watcher."""
        self.on_delivery_report: Callable[[DeliveryReport], None] = lambda _: None
        """Called with what was told, for the other watchers to know."""
        self._clock = clock
        self._log = log
        self._first = first_wait_s
        self._news = {target.name: asyncio.Event() for target in targets}
        self._closed_until = dict.fromkeys(self._news, 0.0)
        self._told_of = ""

    def take(self, effects: Iterable[Effect | IncidentChange], *, held: bool = False) -> None:
        """Queue what is to be told, for the targets that it concerns. On disk when this returns."""
        now = self._clock.time()
        due = [
            _post(target, one, now)
            for one in effects
            for target in self.targets
            if self._concerns(target, one)
        ]
        if due and self.outbox.put(due, now, held=held):
            self.wake()
        self._tell_of_disk()

    def wake(self) -> None:
        """Look again, now: something was released, or the network may be back."""
        for news in self._news.values():
            news.set()

    async def run(self) -> None:
        """Tell, for as long as this runs."""
        async with asyncio.TaskGroup() as lanes:
            for target in self.targets:
                for _ in range(LANES):
                    lanes.create_task(self._lane(target))

    async def flush(self, seconds: float) -> bool:
        """Wait until nothing is due, at most so long; whether nothing is."""
        end = self._clock.monotonic() + seconds
        while self.outbox.tally().pending:
            if self._clock.monotonic() >= end:
                return False
            await self._clock.sleep(0.05)
        return True

    def _concerns(self, target: Target, one: Effect | IncidentChange) -> bool:
        """Whether a target is to hear of it. A silenced incident is told of only when it is over."""
        if isinstance(one, IncidentChange):
            return target.takes_changes
        if one.tier not in target.tiers and not any(RANK[one.tier] > RANK[tier] for tier in target.tiers):
            return False
        return one.reason == "resolved" or not one.silenced

    async def _lane(self, target: Target) -> None:
        news = self._news[target.name]
        while True:
            now = self._clock.time()
            self._end_quiet(target.name, now)
            job = self.outbox.claim(target.name, now) if now >= self._closed_until[target.name] else None
            if job is not None:
                await self._tell(target, job)
                continue
            news.clear()
            await self._wait(target.name, news)

    def _end_quiet(self, name: str, now: float) -> None:
        """One that stands by lets the other go first: what that one tells of a night needs no second digest."""
        after = 0.0 if self.on_duty else STANDING_BY_S
        self.outbox.end_quiet(name, now - after, held=not self.on_duty)

    async def _wait(self, name: str, news: asyncio.Event) -> None:
        """Until there is news, or something is due again."""
        due = self.outbox.next_due(name)
        now = self._clock.time()
        patience = 5.0 if due is None else max(0.05, min(5.0, max(due, self._closed_until[name]) - now))
        waiting = asyncio.create_task(news.wait())
        sleeping = asyncio.create_task(self._clock.sleep(patience))
        try:
            await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            sleeping.cancel()

    async def _tell(self, target: Target, job: DeliveryJob) -> None:
        try:
            ref = await in_thread(lambda: _say(target, job))
        except DeliveryFailed as failure:
            self._again(target.name, job, failure)
        else:
            self.outbox.done(job, ref, self._clock.time())
            self.on_delivery_report(DeliveryReport(job.target, job.thread, mark_of(job.what), ref))
            self._news[target.name].set()
            if self.failing.pop(target.name, ""):
                self._log(f"{target.name}: accepts alerts again")
            self._log(f"sent to {target.name}: {message_text.in_short(job.what)}")
        self._tell_of_disk()

    def _again(self, name: str, job: DeliveryJob, failure: DeliveryFailed) -> None:
        now = self._clock.time()
        wait = min(LONGEST_WAIT_S, self._first * 2.0 ** min(job.tries, 16))
        if failure.refused:
            wait = min(AFTER_NO_S, wait * 8)
        wait = max(wait if not failure.busy else 0.0, failure.after_s, self._first if failure.busy else 0.0)
        if failure.busy:
            self._closed_until[name] = max(self._closed_until[name], now + wait)
        self.outbox.again(job, now + wait, str(failure), now, unsure=failure.unsure)
        if self.failing.get(name) != str(failure):
            self.failing[name] = str(failure)
            self._log(f"{name}: {failure}; kept, will retry")

    def _tell_of_disk(self) -> None:
        if self.outbox.trouble != self._told_of:
            self._told_of = self.outbox.trouble
            self._log(self._told_of)


def _post(target: Target, one: Effect | IncidentChange, now: float) -> QueuedMessage:
    if isinstance(one, IncidentChange):
        return QueuedMessage(target.name, one)
    return QueuedMessage(target.name, one, waits_until(target.quiet, one, now), target.changes_in_place)


def _say(target: Target, job: DeliveryJob) -> str:
    if isinstance(job.what, Effect):
        return target.tell(job.what, job.ref)
    if isinstance(job.what, IncidentChange):
        target.tell_change(job.what)
    else:
        target.tell_digest(job.what)
    return job.ref


async def in_thread(call: Callable[[], str]) -> str:
    """Run what blocks on a thread that holds up nobody's end. Raises what it raises, Failed if it never comes back."""
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
        except Exception as other:  # noqa: BLE001 - a library's surprise must not end the lane
            error = DeliveryFailed(f"{type(other).__name__}, without an explanation from its library")
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is gone: what was sent is noted as sending, and told again
            return

    threading.Thread(target=work, name="voicetop notify", daemon=True).start()
    try:
        return await asyncio.wait_for(answer, STUCK_S)
    except TimeoutError:
        raise DeliveryFailed(f"no response within {STUCK_S:.0f} s", unsure=True) from None
