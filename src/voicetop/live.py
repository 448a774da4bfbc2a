"""Runs a feed in the background: source, recorder and session on their own thread and event loop.

A stalled terminal never loses the feed, and a busy feed never blocks the keyboard. The screen reads the newest
finished snapshot and requests others; only frozen Snapshots cross between the threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from voicetop.engine.snapshot import Snapshot, View
from voicetop.errors import VoicetopError, in_one_line
from voicetop.formatting.numbers import known
from voicetop.picture_loop import BORROWED_S, Answer, PictureLoop, freeze_imports
from voicetop.sources import Act, Acting, LinkState, Source

if TYPE_CHECKING:
    from voicetop.alerts.signals import Effect
    from voicetop.engine.config import EngineConfig
    from voicetop.recording import Recorder
    from voicetop.replay.live_history import LiveHistory
    from voicetop.replay.options import HistoryLimits
    from voicetop.replay.player import Player
    from voicetop.session import Session
    from voicetop.wire.events import Operator

POLL_S = 0.02

Opener = Callable[[], tuple[Source, "Recorder | None"]]


class LiveFeed:
    """One live feed, as a screen sees it (`ui.feed.FeedHandle`).

    `open_source` is called on the feed's own thread, so that its imports can't delay the first frame. `close` stops the
    feed and flushes the recording. `frames` counts folded frames. `author` signs notes and actions. `limits` bounds the
    history kept for going back in time; without it there is no `past`.
    """

    def __init__(
        self,
        open_source: Opener,
        config: Callable[[], EngineConfig] | None = None,
        *,
        author: str = "",
        limits: HistoryLimits | None = None,
    ) -> None:
        self.frames = 0
        self.on_effect: list[Callable[[Effect], None]] = []
        """Called with each incident effect on the feed's thread; add callbacks before `start`."""
        self._limits = limits
        self._history: LiveHistory | None = None
        self._history_error = ""
        self._author = author
        self._send_errors: list[str] = []
        self._open = open_source
        self._config = config
        self._source: Source | None = None
        self._recorder: Recorder | None = None
        self._error = ""
        self._end_note = ""
        self._ended = False
        self._started = False
        self._picture_loop = PictureLoop()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._view_requested: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="voicetop feed", daemon=True)

    def start(self) -> None:
        """Start the thread; later calls do nothing."""
        if not self._thread.ident and not self._closing:
            self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Stop, and wait up to `timeout` seconds for the recording to be flushed."""
        self._closing = True
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(task.cancel)
        if self._thread.ident:
            self._thread.join(timeout)
        if self._history is not None:
            self._history.close()

    def wait_for_answer(self, seconds: float) -> bool:
        """Wait until the other end has answered; False if it refused or failed."""
        for _ in range(int(seconds / POLL_S)):
            if self.ended or self.link.phase != "connecting":
                break
            self._thread.join(POLL_S)
        return self.link.phase != "refused" and not self.error

    # -- called from the screen's thread -------------------------------------------------------------------------

    @property
    def latest(self) -> Snapshot | None:
        """The newest snapshot."""
        return self._picture_loop.latest

    @property
    def link(self) -> LinkState:
        """State of the connection."""
        return self._source.link if self._source is not None else LinkState()

    @property
    def error(self) -> str:
        """Why the feed failed, in one line; empty while it runs and after a regular end."""
        return self._error

    @property
    def notes(self) -> list[str]:
        """Messages for the user that don't end the feed, such as a recording that stopped."""
        recorder = self._recorder.error or self._recorder.loss if self._recorder is not None else ""
        history_note = self._history.note if self._history is not None else self._history_error
        return [note for note in (recorder, history_note, self._end_note, *self._send_errors) if note]

    @property
    def ended(self) -> bool:
        """Whether the feed is over. Snapshots of its last state can still be requested."""
        return self._ended

    def ask(self, view: View, call: Answer | None = None) -> None:
        """Make snapshots for `view` from now on; `call` gets the first of them, on the feed's thread."""
        self._picture_loop.ask(view, call)
        loop, requested = self._loop, self._view_requested
        if loop is not None and requested is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(requested.set)

    @property
    def past(self) -> Player | None:
        """The kept history of this feed; None without one."""
        return self._history.past if self._history is not None else None

    def operate(self, act: Act) -> str:
        """Send a user's action to the hub, which stamps it and passes it to every console and recording.

        Returns "" once it is on its way, else a one-line reason. Later failures appear in `notes`.
        """
        from voicetop.sources import operator_events  # noqa: PLC0415 - behind the first frame

        source, loop, latest = self._source, self._loop, self.latest
        if latest is None or loop is None or source is None:
            return "nothing received from this feed yet: nothing was sent"
        if not isinstance(source, Acting) or self._ended:
            return "this feed accepts no notes or actions: nothing was sent"
        if source.refusal:
            return source.refusal
        try:
            at = min(act.at, latest.at) if known(act.at) else latest.at
            event = operator_events.operator_event(
                replace(act, at=at), by=operator_events.author(self._author)
            )
        except VoicetopError as error:
            return str(error)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            asyncio.run_coroutine_threadsafe(self._send(source, event), loop)
        return ""

    # -- the feed's thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 - a thread that dies silently would look like a calm night
            self._error = in_one_line(error)
        finally:
            self._ended = True

    async def _main(self) -> None:
        from voicetop.session import Session  # noqa: PLC0415 - behind the first frame

        self._loop, self._view_requested, self._task = (
            asyncio.get_running_loop(),
            asyncio.Event(),
            asyncio.current_task(),
        )
        session = Session(self._config() if self._config is not None else None)
        session.on_effect += self.on_effect
        self._source, self._recorder = self._open()
        self._start_history(session, self._source.link.where)
        freeze_imports()
        if self._closing:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._make_snapshots(session))
            tasks.create_task(self._follow(session, self._source))

    def _start_history(self, session: Session, where: str) -> None:
        """Keep history for going back in time. A feed without room for history still runs."""
        if self._limits is None:
            return
        from voicetop.replay.live_history import LiveHistory, LiveNotes  # noqa: PLC0415 - behind the first frame

        annotations = LiveNotes(self.operate)
        session.on_beat.append(lambda _: annotations.update(session.engine.operators))
        try:
            self._history = LiveHistory(
                session,
                where=where,
                annotations=annotations,
                limits=self._limits,
                config=self._config,
                recorder=self._recorder,
            )
        except VoicetopError as error:
            self._history_error = f"cannot go back: {error}"

    async def _send(self, source: Acting, act: Operator) -> None:
        try:
            await source.act(act)
        except VoicetopError as error:
            self._send_errors.append(f"{act.act}: {error}")

    async def _follow(self, session: Session, source: Source) -> None:
        """Fold until the source ends; snapshots can still be requested afterwards."""
        try:
            await self._fold(session, source)
        except VoicetopError as error:
            self._error = str(error)
        finally:
            if self._recorder is not None:
                self._recorder.close()
            if self._history is not None:
                self._history.finish()
        self._make_snapshot(session)
        if source.link.phase == "ended" and not self._error:
            why = f" · {source.link.why}" if source.link.why else ""
            self._end_note = f"{source.link.where} has ended{why}"
        self._ended = True

    async def _fold(self, session: Session, source: Source) -> None:
        """Record and fold frame by frame; snapshots are made between two frames."""
        recorder, history = self._recorder, self._history
        async for frame in source.frames():
            self._started = self._started or source.link.phase == "live"
            if recorder is not None:
                recorder.write(frame)
            if history is not None:
                history.write(frame)
            before = session.at
            session.feed(frame)
            if recorder is not None and recorder.wants_state and session.at != before:
                recorder.write(_state_of(session))
            if history is not None:
                history.folded(frame)
            self.frames += 1

    async def _make_snapshots(self, session: Session) -> None:
        """Make snapshots periodically, and at once on request.

        After each one, folding gets its share of the thread. A request may borrow up to BORROWED_S of that share.
        """
        assert self._view_requested is not None
        now, picture_loop, shown_at = asyncio.get_running_loop().time, self._picture_loop, -1.0
        while True:
            await self._wait(max(picture_loop.every_s, picture_loop.free_at - now()))
            was_requested = self._view_requested.is_set()
            self._view_requested.clear()
            await asyncio.sleep(picture_loop.free_at - now() - (BORROWED_S if was_requested else 0.0))
            if was_requested or session.at != shown_at:
                shown_at = session.at
                self._make_snapshot(session)

    async def _wait(self, seconds: float) -> None:
        """Wait for a request, at most `seconds`."""
        assert self._view_requested is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._view_requested.wait()

    def _make_snapshot(self, session: Session) -> None:
        """Make a snapshot, but none before the first data has arrived."""
        if session.at and self._started:
            self._picture_loop.make(session, asyncio.get_running_loop().time)


def _state_of(session: Session) -> bytes:
    return msgspec.json.encode(session.welcome())
