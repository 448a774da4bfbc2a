"""The headless watcher: the same session as any console's, whose effects are delivered to targets.

    source ──► session ──► effects ──► queue on disk ──► delivery ──► PagerDuty, Slack, others
                                └────► history

Each message is delivered once, whatever crashes: on joining, everything the hub's state knows about incidents is queued
again, and the queue drops duplicates. With several watchers, the hub makes one active; the others hold their messages
until they take over, and receive the active one's delivery reports through the hub.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from voicetop.alerts.incidents.incident import Incident
from voicetop.alerts.incidents.lifecycle import effect as make_effect
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
from voicetop.wire.frames import MAX_REPORT_FIELD, DeliveryReport

if TYPE_CHECKING:
    from voicetop.history.incidents import IncidentLog

CHECK_EVERY_S = 0.25
RECORD_EVERY_S = 5.0
SILENT_S = 5.0
"""A hub sends four heartbeats a second: one that is silent for this long hangs, even if connected."""
MARGIN_S = 60.0
"""How far before the last recorded time the state is read again; the queue drops duplicates."""
LOST_AFTER_S = 120.0
"""A restarted hub has no earlier incidents; those that it doesn't detect again within this time are resolved."""
HANDED_OVER_S = 120.0
"""On takeover, older messages were sent by the previous watcher; only open incidents are sent again."""
FINAL_FLUSH_S = 5.0
HUB_WAIT_S = 3.0
"""How long pending messages of an earlier run wait for the hub before they are sent anyway."""
MOST_SHARED = 2_000
"""Delivery reports that are shared at once."""
BLIND = "watch.blind"


class Watcher:
    """Watches one hub. `run` until it is cancelled; raises FeedRefused if the hub rejects it for good."""

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
        """Whether the feed is connected and processed."""
        self._source = source
        self._session = session
        self._delivery = delivery
        self._queue = delivery.queue
        self._clock = clock
        self._log = log
        self._blind_after = blind_after_s
        self._history = history
        self._fresh: list[Effect] = []
        self._markers: list[Marker] = []
        self._on_duty = True
        self._phase = ""
        self._lost_at = clock.monotonic()
        self._recorded_at = 0.0
        self._resolve_lost_at: float | None = None
        self._set_deployment(self._queue.get_fact("deployment"))
        self._joined = asyncio.Event()
        self._reports: asyncio.Queue[DeliveryReport] = asyncio.Queue(MOST_SHARED)
        session.on_effect.append(self._fresh.append)
        session.on_welcome.append(lambda _: self._join())
        delivery.on_delivery_report = self._queue_report
        source.on_delivery_report = self._on_report

    @property
    def on_duty(self) -> bool:
        """Whether this watcher is the active one."""
        return self._on_duty

    async def run(self) -> None:
        checking = asyncio.create_task(self._check_regularly())
        delivering = asyncio.create_task(self._deliver())
        following = asyncio.create_task(self._follow())
        sharing = asyncio.create_task(self._share())
        tasks = {checking, delivering, following, sharing}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if isinstance(error := task.exception(), FeedRefused) and self._queue.get_fact("seen"):
                    self._joined.set()
                    self._report_blind(str(error))
                    await self._delivery.flush(FINAL_FLUSH_S)
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self) -> None:
        """Wait for the hub first, if it is up: another watcher may have delivered what is still pending."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HUB_WAIT_S):
                await self._joined.wait()
        await self._delivery.run()

    # -- the feed -----------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        async for frame in self._source.frames():
            self._session.feed(frame)
            self._update_duty()
            self._queue_effects()

    def _queue_effects(self) -> None:
        """Queue the frame's effects. Local incidents concern only this process's connection; `_check` reports those."""
        effects = [effect for effect in self._fresh if not effect.incident_id.startswith("L")]
        self._fresh.clear()
        if effects:
            self._enqueue([*self._resolutions_of_reused_keys(effects), *effects])
        self._queue_changes()

    def _enqueue(self, effects: list[Effect]) -> None:
        self._delivery.enqueue(effects, held=not self._on_duty)
        if self._history is not None:
            self._history.record(effects)

    def _resolutions_of_reused_keys(self, effects: list[Effect]) -> list[Effect]:
        """Resolve earlier incidents whose keys a restarted hub reuses."""
        fired = {effect.key: effect for effect in effects if effect.reason == "fired"}
        if not fired:
            return []
        return [
            _resolved(before, fired[before.key].at, "the hub was restarted")
            for before in self._queue.open_threads().values()
            if before.key in fired and before.onset != fired[before.key].onset
        ]

    def _set_deployment(self, deployment: str) -> None:
        """Every notification names the hub's deployment."""
        if deployment:
            self._queue.set_fact("deployment", deployment)
            for target in self._delivery.targets:
                target.deployment = deployment

    def _join(self) -> None:
        """On a new state: queue what is missing; of resolved incidents only those since this watcher last ran."""
        self._update_duty()
        self._joined.set()
        self._fresh.clear()  # the comparison with the queue below covers them
        self._set_deployment(self._session.deployment)
        since = float(self._queue.get_fact("seen") or "inf") - MARGIN_S
        incidents = self._session.alerts.incidents
        news: list[Effect] = []
        present: set[str] = set()
        for incident in (*incidents.closed, *incidents.opened):
            if not incident.number or incident.local:
                continue
            effects = self._effects_of(incident)
            thread = thread_of(effects[0])
            present.add(thread)
            known = self._queue.effects_of(thread)
            if incident.part_of and not known:
                continue  # its parent incident covers it
            if incident.phase != "resolved" or known or incident.resolved_at >= since:
                news += _missing(effects, known)
                if known and known[-1].reason == "acknowledged" and incident.firing and not incident.acked_by:
                    news.append(make_effect(incident, "returned", self._session.at, self._session.deployment))
        self._fresh[:0] = sorted(news, key=lambda effect: effect.at)
        gone = any(
            thread not in present and last.rule != BLIND
            for thread, last in self._queue.open_threads().items()
        )
        self._resolve_lost_at = self._clock.monotonic() + LOST_AFTER_S if gone else None
        for report in self._queue.open_deliveries(MOST_SHARED):
            self._queue_report(report)

    def _effects_of(self, incident: Incident) -> list[Effect]:
        """The effects that a watcher connected all along would have received."""
        name = self._session.deployment
        effects = [make_effect(incident, "fired", incident.fired_at, name)]
        if incident.acked_by:
            effects.append(make_effect(incident, "acknowledged", incident.acked_at, name, incident.acked_by))
        if incident.phase == "resolved":
            effects.append(make_effect(incident, "resolved", incident.resolved_at, name))
        return effects

    def _resolve_lost(self) -> None:
        """Resolve incidents that the hub no longer has."""
        incidents = self._session.alerts.incidents
        present = {
            thread_of(self._effects_of(incident)[0])
            for incident in (*incidents.opened, *incidents.closed)
            if incident.number
        }
        now = self._session.at or self._clock.time()
        self._enqueue(
            [
                _resolved(last, now, "the hub no longer has it")
                for thread, last in self._queue.open_threads().items()
                if thread not in present and last.rule != BLIND
            ]
        )

    def _queue_changes(self) -> None:
        """Queue deploys and other markers as change events, from when this watcher last ran."""
        markers = self._session.engine.markers
        if markers is self._markers:
            return
        self._markers = markers
        since = float(self._queue.get_fact("seen") or self._session.at) - MARGIN_S
        self._delivery.enqueue(
            [_change(marker) for marker in markers if marker.ts >= since], held=not self._on_duty
        )

    # -- the other watchers -------------------------------------------------------------------------------------

    def _queue_report(self, report: DeliveryReport) -> None:
        """Share what this watcher delivered, so that a successor can continue."""
        if max(map(len, (report.target, report.thread, report.mark, report.ref))) > MAX_REPORT_FIELD:
            return
        with contextlib.suppress(asyncio.QueueFull):
            self._reports.put_nowait(report)

    async def _share(self) -> None:
        while True:
            await self._source.share(await self._reports.get())

    def _on_report(self, report: DeliveryReport) -> None:
        self._queue.record_remote_delivery(report, self._clock.time())

    # -- connection and duty ------------------------------------------------------------------------------------

    async def _check_regularly(self) -> None:
        while True:
            self._check()
            await self._clock.sleep(CHECK_EVERY_S)

    def _check(self) -> None:
        now = self._clock.monotonic()
        link = self._source.link
        receiving = self._source.silent_s < SILENT_S
        self.seeing = link.phase == "live" and self._session.at > 0 and receiving
        self._update_duty()
        if self.seeing:
            self._lost_at = now
            self._report_recovery()
            if now >= self._recorded_at + RECORD_EVERY_S:
                self._recorded_at = now
                self._queue.set_fact("seen", repr(self._session.at))
                self._queue.prune(self._clock.time())
        elif now - self._lost_at >= self._blind_after * (1 if self._on_duty else 2):
            self._report_blind(_why_blind(link, receiving=receiving))
        if self._resolve_lost_at is not None and now >= self._resolve_lost_at and self.seeing:
            self._resolve_lost_at = None
            self._resolve_lost()
        self._log_link(link)

    def _update_duty(self) -> None:
        """Follow the hub's choice of the active watcher."""
        if self._source.on_duty == self._on_duty:
            return
        self._on_duty = self._delivery.on_duty = self._source.on_duty
        if not self._on_duty:
            self._log("another watcher is active; standing by")
            return
        open_now = [
            thread_of(self._effects_of(incident)[0])
            for incident in self._session.alerts.incidents.opened
            if incident.number
        ]
        count = self._queue.release(self._session.at - HANDED_OVER_S, open_now, self._clock.time())
        self._log(
            f"the other watcher is gone: this one is active now ({count} alert{'s' * (count != 1)} taken over)"
        )
        self._delivery.wake()

    def _log_link(self, link: LinkState) -> None:
        if link.phase != self._phase:
            self._phase = link.phase
            self._log(f"{link.where} {link.phase}{': ' if link.why else ''}{link.why}")

    # -- blindness ----------------------------------------------------------------------------------------------

    def _report_blind(self, why: str) -> None:
        if not self._blind_since():
            blind = self._blindness(self._clock.time(), why)
            self._queue.set_fact("blind", repr(blind.onset))
            self._log(f"blind: {blind.summary}")
            self._delivery.enqueue([blind])

    def _report_recovery(self) -> None:
        onset = self._blind_since()
        if onset:
            blind = self._blindness(onset, "")
            self._delivery.enqueue([_resolved(blind, self._clock.time(), "the feed is back")])
            self._queue.set_fact("blind", "")
            self._log("the feed is back")

    def _blind_since(self) -> float:
        """The onset of the blindness that was reported; 0 if none was."""
        return float(self._queue.get_fact("blind") or 0.0)

    def _blindness(self, onset: float, why: str) -> Effect:
        """All watchers of a feed use the same key, so that nobody is paged twice."""
        name = self._queue.get_fact("deployment") or self._source.link.where
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


def _why_blind(link: LinkState, *, receiving: bool) -> str:
    if link.phase == "live" and not receiving:
        return "connected, but the hub sends nothing"
    return link.why or link.phase


def _missing(effects: list[Effect], known: list[Effect]) -> list[Effect]:
    """The effects missing from the queue: a higher tier, and everything after the firing."""
    if not known:
        return effects
    fired, *rest = effects
    if RANK[fired.tier] > max(RANK[effect.tier] for effect in known):
        return [replace(fired, reason="worse"), *rest]
    return rest


def _resolved(last: Effect, at: float, why: str) -> Effect:
    return replace(last, reason="resolved", at=at, blame=why, by="")


def _change(marker: Marker) -> IncidentChange:
    identity = f"{marker.kind}\n{marker.label}\n{marker.version}\n{marker.ts!r}"
    key = hashlib.blake2b(identity.encode(), digest_size=10).hexdigest()
    return IncidentChange(
        f"change-{key}", marker.ts, marker.kind, marker.label, marker.version, marker.source
    )
