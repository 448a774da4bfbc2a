"""The headless watcher: the very same session as any console's, and whoever is to be told of what it finds.

    source ──► session ──► effects ──► outbox on disk ──► delivery ──► PagerDuty, Slack, others
                                └────► history

What was handed over once is told once, whatever dies: on joining, all that the hub's state knows of incidents is handed
over again, and the outbox drops what it has. Of several watchers the hub lets one tell; the others hold theirs back
until it is their turn, and hear from it, by way of the hub, what it has told and which message it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from voicetop.alerts.incidents.incident import Incident
from voicetop.alerts.incidents.lifecycle import effect
from voicetop.alerts.signals import Effect
from voicetop.clock import Clock
from voicetop.errors import FeedRefused
from voicetop.notify.delivery import Delivery
from voicetop.notify.message_text import RANK
from voicetop.notify.queue import thread_of
from voicetop.notify.targets.base import IncidentChange
from voicetop.session import Session
from voicetop.sources import LinkState
from voicetop.sources.socket import SocketSource
from voicetop.wire.events import Marker
from voicetop.wire.frames import MAX_TOLD, DeliveryReport

if TYPE_CHECKING:
    from voicetop.history.incidents import IncidentLog

LOOK_S = 0.25
NOTED_EVERY_S = 5.0
SILENT_S = 5.0
"""A hub beats four times a second: one that says nothing for so long hangs, though its line is open."""
MARGIN_S = 60.0
"""How far behind what was noted last the state is looked at again: what is known already is dropped."""
FORGOTTEN_S = 120.0
"""A hub that begins anew knows nothing of earlier incidents; what it doesn't find again within this is over."""
HANDED_OVER_S = 120.0
"""What is older was told by the watcher that did the telling before; only what is still open is told again."""
LAST_WORDS_S = 5.0
PATIENCE_S = 3.0
"""How long what was left over from before waits for the hub; then it is told without."""
MOST_SHARED = 2_000
"""How much of what it told a watcher lets the others know at once."""
BLIND = "watch.blind"


class Watcher:
    """One hub's watcher. `run` until it is cancelled; raises FeedRefused where the hub says no for good."""

    def __init__(
        self,
        source: SocketSource,
        session: Session,
        delivery: Delivery,
        clock: Clock,
        log: Callable[[str], None],
        *,
        blind_after_s: float = 30.0,
        history: IncidentLog | None = None,
    ) -> None:
        self.seeing = False
        """Whether the feed is there and has been folded."""
        self._source = source
        self._session = session
        self._delivery = delivery
        self._outbox = delivery.outbox
        self._clock = clock
        self._log = log
        self._blind_after = blind_after_s
        self._history = history
        self._fresh: list[Effect] = []
        self._markers: list[Marker] = []
        self._on_duty = True
        self._phase = ""
        self._lost_at = clock.monotonic()
        self._noted_at = 0.0
        self._forget_at: float | None = None
        self._name(self._outbox.fact("deployment"))
        self._joined = asyncio.Event()
        self._told: asyncio.Queue[DeliveryReport] = asyncio.Queue(MOST_SHARED)
        session.on_effect.append(self._fresh.append)
        session.on_welcome.append(lambda _: self._join())
        delivery.on_delivery_report = self._share_later
        source.on_delivery_report = self._hear_told

    @property
    def on_duty(self) -> bool:
        """Whether it is this watcher that tells people."""
        return self._on_duty

    async def run(self) -> None:
        looking = asyncio.create_task(self._look_around())
        telling = asyncio.create_task(self._tell_all())
        following = asyncio.create_task(self._follow())
        sharing = asyncio.create_task(self._share())
        tasks = {looking, telling, following, sharing}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if isinstance(error := task.exception(), FeedRefused) and self._outbox.fact("seen"):
                    self._joined.set()
                    self._say_blind(str(error))
                    await self._delivery.flush(LAST_WORDS_S)
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell_all(self) -> None:
        """What was left over may have been told by another watcher: the hub, if it is there, says so first."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._joined.wait(), PATIENCE_S)
        await self._delivery.run()

    # -- the feed -----------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        async for frame in self._source.frames():
            self._session.feed(frame)
            self._heed_duty()
            self._hand_over()

    def _hand_over(self) -> None:
        """What the frame brought. Incidents that only this process sees are about its own line, and `_look` tells."""
        effects = [one for one in self._fresh if not one.incident_id.startswith("L")]
        self._fresh.clear()
        if effects:
            self._tell([*self._closing_those_before(effects), *effects])
        self._tell_changes()

    def _tell(self, effects: list[Effect]) -> None:
        self._delivery.take(effects, held=not self._on_duty)
        if self._history is not None:
            self._history.record(effects)

    def _closing_those_before(self, effects: list[Effect]) -> list[Effect]:
        """A hub that began anew gives a key again: what it stood for before is over."""
        fired = {one.key: one for one in effects if one.reason == "fired"}
        if not fired:
            return []
        return [
            _over(before, fired[before.key].at, "the hub was restarted")
            for before in self._outbox.open_threads().values()
            if before.key in fired and before.onset != fired[before.key].onset
        ]

    def _name(self, deployment: str) -> None:
        """What the hub calls its feed stands in every page."""
        if deployment:
            self._outbox.note("deployment", deployment)
            for target in self._delivery.targets:
                target.deployment = deployment

    def _join(self) -> None:
        """A state came: what it knows and the outbox doesn't is news; of the past only since this watcher looked."""
        self._heed_duty()
        self._joined.set()
        self._fresh.clear()  # what is news to the queue goes by the queue, and what is gone has its time
        self._name(self._session.deployment)
        since = float(self._outbox.fact("seen") or "inf") - MARGIN_S
        incidents = self._session.alerts.incidents
        news: list[Effect] = []
        here: set[str] = set()
        for incident in (*incidents.closed, *incidents.opened):
            if not incident.number or incident.local:
                continue
            told = self._effects_of(incident)
            thread = thread_of(told[0])
            here.add(thread)
            known = self._outbox.known(thread)
            if incident.part_of and not known:
                continue  # it is told of as a part of another
            if incident.phase != "resolved" or known or incident.resolved_at >= since:
                news += _unsaid(told, known)
                if known and known[-1].reason == "acknowledged" and incident.firing and not incident.acked_by:
                    news.append(effect(incident, "returned", self._session.at, self._session.deployment))
        self._fresh[:0] = sorted(news, key=lambda one: one.at)
        gone = any(
            thread not in here and told.rule != BLIND for thread, told in self._outbox.open_threads().items()
        )
        self._forget_at = self._clock.monotonic() + FORGOTTEN_S if gone else None
        for one in self._outbox.told_of_open(MOST_SHARED):
            self._share_later(one)

    def _effects_of(self, incident: Incident) -> list[Effect]:
        """What a watcher that had been here all along would have been told."""
        name = self._session.deployment
        told = [effect(incident, "fired", incident.fired_at, name)]
        if incident.acked_by:
            told.append(effect(incident, "acknowledged", incident.acked_at, name, incident.acked_by))
        if incident.phase == "resolved":
            told.append(effect(incident, "resolved", incident.resolved_at, name))
        return told

    def _forget(self) -> None:
        """Incidents of which the hub knows nothing any more are over, as far as anybody can tell."""
        incidents = self._session.alerts.incidents
        here = {
            thread_of(self._effects_of(one)[0])
            for one in (*incidents.opened, *incidents.closed)
            if one.number
        }
        now = self._session.at or self._clock.time()
        self._tell(
            [
                _over(told, now, "the hub no longer has it")
                for thread, told in self._outbox.open_threads().items()
                if thread not in here and told.rule != BLIND
            ]
        )

    def _tell_changes(self) -> None:
        """Deploys and the like, as PagerDuty's change events; of the past only what came since this watcher looked."""
        markers = self._session.engine.markers
        if markers is self._markers:
            return
        self._markers = markers
        since = float(self._outbox.fact("seen") or self._session.at) - MARGIN_S
        self._delivery.take(
            [_change(marker) for marker in markers if marker.ts >= since], held=not self._on_duty
        )

    # -- the other watchers -------------------------------------------------------------------------------------

    def _share_later(self, told: DeliveryReport) -> None:
        """What was told by this one, so that whoever takes over goes on from there."""
        if max(map(len, (told.target, told.thread, told.mark, told.ref))) > MAX_TOLD:
            return
        with contextlib.suppress(asyncio.QueueFull):
            self._told.put_nowait(told)

    async def _share(self) -> None:
        while True:
            await self._source.share(await self._told.get())

    def _hear_told(self, told: DeliveryReport) -> None:
        self._outbox.told_elsewhere(told, self._clock.time())

    # -- what goes on beside the feed ---------------------------------------------------------------------------

    async def _look_around(self) -> None:
        while True:
            self._look()
            await self._clock.sleep(LOOK_S)

    def _look(self) -> None:
        now = self._clock.monotonic()
        link = self._source.link
        heard = self._source.silent_s < SILENT_S
        self.seeing = link.phase == "live" and self._session.at > 0 and heard
        self._heed_duty()
        if self.seeing:
            self._lost_at = now
            self._say_seeing()
            if now >= self._noted_at + NOTED_EVERY_S:
                self._noted_at = now
                self._outbox.note("seen", repr(self._session.at))
                self._outbox.prune(self._clock.time())
        elif now - self._lost_at >= self._blind_after * (1 if self._on_duty else 2):
            self._say_blind(_why_blind(link, heard=heard))
        if self._forget_at is not None and now >= self._forget_at and self.seeing:
            self._forget_at = None
            self._forget()
        self._log_link(link)

    def _heed_duty(self) -> None:
        """The hub said whose turn it is."""
        if self._source.on_duty == self._on_duty:
            return
        self._on_duty = self._delivery.on_duty = self._source.on_duty
        if not self._on_duty:
            self._log("another watcher is active; standing by")
            return
        still = [
            thread_of(self._effects_of(one)[0]) for one in self._session.alerts.incidents.opened if one.number
        ]
        count = self._outbox.release(self._session.at - HANDED_OVER_S, still, self._clock.time())
        self._log(
            f"the other watcher is gone: this one is active now ({count} alert{'s' * (count != 1)} taken over)"
        )
        self._delivery.wake()

    def _log_link(self, link: LinkState) -> None:
        said = f"{link.phase}{': ' if link.why else ''}{link.why}"
        if link.phase != self._phase:
            self._phase = link.phase
            self._log(f"{link.where} {said}")

    # -- our own eyes -------------------------------------------------------------------------------------------

    def _say_blind(self, why: str) -> None:
        if not self._blind():
            told = self._blindness(self._clock.time(), why)
            self._outbox.note("blind", repr(told.onset))
            self._log(f"blind: {told.summary}")
            self._delivery.take([told])

    def _say_seeing(self) -> None:
        onset = self._blind()
        if onset:
            told = self._blindness(onset, "")
            now = self._clock.time()
            self._delivery.take([_over(told, now, "the feed is back")])
            self._outbox.note("blind", "")
            self._log("the feed is back")

    def _blind(self) -> float:
        """Since when somebody has been told that we are blind; 0 where nobody has."""
        return float(self._outbox.fact("blind") or 0.0)

    def _blindness(self, onset: float, why: str) -> Effect:
        """All watchers of a feed say it under one key, so that nobody is paged twice for it."""
        name = self._outbox.fact("deployment") or self._source.link.where
        key = hashlib.blake2b(name.encode(), digest_size=10).hexdigest()
        return Effect(
            reason="fired",
            key=f"voicetop-{key}-blind",
            incident_id="blind",
            tier="critical",
            family="feed",
            rule=BLIND,
            where=(),
            at=onset,
            onset=onset,
            fired_at=onset,
            summary=f"blind: no feed from {name}" + (f" ({why})" if why else ""),
            blame="the calls of this feed are not monitored until it is back: check that the hub is running",
            runbook="feed",
        )


def _why_blind(link: LinkState, *, heard: bool) -> str:
    if link.phase == "live" and not heard:
        return "connected, but the hub sends nothing"
    return link.why or link.phase


def _unsaid(told: list[Effect], known: list[Effect]) -> list[Effect]:
    """Of an incident that is known already: that it got worse, and what comes after its firing."""
    if not known:
        return told
    fired, *rest = told
    worst = max(RANK[one.tier] for one in known)
    return [*([_worse(fired)] if RANK[fired.tier] > worst else []), *rest]


def _worse(fired: Effect) -> Effect:
    return replace(fired, reason="worse")


def _over(told: Effect, at: float, why: str) -> Effect:
    return replace(told, reason="resolved", at=at, blame=why, by="")


def _change(marker: Marker) -> IncidentChange:
    told = f"{marker.kind}\n{marker.label}\n{marker.version}\n{marker.ts!r}"
    key = hashlib.blake2b(told.encode(), digest_size=10).hexdigest()
    return IncidentChange(
        f"change-{key}", marker.ts, marker.kind, marker.label, marker.version, marker.source
    )
