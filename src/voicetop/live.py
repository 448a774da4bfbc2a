"""A feed that runs by itself: source, recorder tap and session on a thread and loop of their own.

So a stalled terminal never loses the feed, and a busy feed never stalls the keys. The screen looks at the newest
finished picture and asks for others; nothing but frozen Snapshots crosses between the threads.
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

LOOK_S = 0.02

Opener = Callable[[], tuple[Source, "Recorder | None"]]


class LiveFeed:
    """What a screen holds of one feed (`ui.feed.FeedHandle`).

    `open_source` is called on the feed's own thread, where what it imports can't hold up the first frame. `start`
    begins, `close` ends it and flushes the recording. `frames` counts what was folded. `author` is who acts here.
    `keep` says how much of it can be gone back to; without, there is no `past`.
    """

    def __init__(
        self,
        open_source: Opener,
        config: Callable[[], EngineConfig] | None = None,
        *,
        author: str = "",
        keep: HistoryLimits | None = None,
    ) -> None:
        self.frames = 0
        self.on_effect: list[Callable[[Effect], None]] = []
        """Who is told of incidents as they come, on the feed's thread; to be filled in before `start`."""
        self._keep = keep
        self._rewind: LiveHistory | None = None
        self._unkept = ""
        self._author = author
        self._unsent: list[str] = []
        self._open = open_source
        self._config = config
        self._source: Source | None = None
        self._recorder: Recorder | None = None
        self._error = ""
        self._ending = ""
        self._ended = False
        self._begun = False
        self._pictures = PictureLoop()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wanted: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="voicetop feed", daemon=True)

    def start(self) -> None:
        """Begin, once."""
        if not self._thread.ident and not self._closing:
            self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """End it; waits for the recording to be flushed, at most `timeout` seconds."""
        self._closing = True
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself meanwhile
                loop.call_soon_threadsafe(task.cancel)
        if self._thread.ident:
            self._thread.join(timeout)
        if self._rewind is not None:
            self._rewind.close()

    def wait_for_answer(self, seconds: float) -> bool:
        """Wait until the other end has said something; False where it was a no, and nothing will ever come."""
        for _ in range(int(seconds / LOOK_S)):
            if self.ended or self.link.phase != "connecting":
                break
            self._thread.join(LOOK_S)
        return self.link.phase != "refused" and not self.error

    # -- what the screen's thread asks ---------------------------------------------------------------------------

    @property
    def latest(self) -> Snapshot | None:
        """The newest picture."""
        return self._pictures.latest

    @property
    def link(self) -> LinkState:
        """How the connection is doing."""
        return self._source.link if self._source is not None else LinkState()

    @property
    def error(self) -> str:
        """Why the feed ended, in one line; empty while it goes on, and where it came to its own end."""
        return self._error

    @property
    def notes(self) -> list[str]:
        """What a person should know though the feed goes on: a recording that stopped, a replay that is over."""
        recorder = self._recorder.error if self._recorder is not None else ""
        kept = self._rewind.note if self._rewind is not None else self._unkept
        return [note for note in (recorder, kept, self._ending, *self._unsent) if note]

    @property
    def ended(self) -> bool:
        """Whether nothing more will come. What came can still be asked for."""
        return self._ended

    def ask(self, view: View, call: Answer | None = None) -> None:
        """From now on make pictures for `view`; `call` gets the first of them, on the feed's thread."""
        self._pictures.ask(view, call)
        loop, wanted = self._loop, self._wanted
        if loop is not None and wanted is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(wanted.set)

    @property
    def past(self) -> Player | None:
        """What was kept of this feed by now."""
        return self._rewind.past if self._rewind is not None else None

    def operate(self, act: Act) -> str:
        """Send what the person here did to the hub, which stamps it and gives it to every console and recording.

        Empty where it is on its way, else why it can't be, in
        a line: no connection, a viewer's token, a feed that takes no acts. What goes wrong later stands in `notes`.
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
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
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

        self._loop, self._wanted, self._task = (
            asyncio.get_running_loop(),
            asyncio.Event(),
            asyncio.current_task(),
        )
        session = Session(self._config() if self._config is not None else None)
        session.on_effect += self.on_effect
        self._source, self._recorder = self._open()
        self._begin_keeping(session, self._source.link.where)
        freeze_imports()
        if self._closing:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._picture(session))
            tasks.create_task(self._follow(session, self._source))

    def _begin_keeping(self, session: Session, where: str) -> None:
        """A feed of which nothing can be kept goes on all the same."""
        if self._keep is None:
            return
        from voicetop.replay.live_history import LiveHistory, LiveNotes  # noqa: PLC0415 - behind the first frame

        remarks = LiveNotes(self.operate)
        session.on_beat.append(lambda _: remarks.hear(session.engine.operators))
        try:
            self._rewind = LiveHistory(
                session,
                where=where,
                remarks=remarks,
                bounds=self._keep,
                config=self._config,
                recorder=self._recorder,
            )
        except VoicetopError as error:
            self._unkept = f"cannot go back: {error}"

    async def _send(self, source: Acting, act: Operator) -> None:
        try:
            await source.act(act)
        except VoicetopError as error:
            self._unsent.append(f"{act.act}: {error}")

    async def _follow(self, session: Session, source: Source) -> None:
        """Fold until there is nothing more; pictures can be asked for after that."""
        try:
            await self._fold(session, source)
        except VoicetopError as error:
            self._error = str(error)
        finally:
            if self._recorder is not None:
                self._recorder.close()
            if self._rewind is not None:
                self._rewind.finish()
        self._show(session)
        if source.link.phase == "ended" and not self._error:
            why = f" · {source.link.why}" if source.link.why else ""
            self._ending = f"{source.link.where} has ended{why}"
        self._ended = True

    async def _fold(self, session: Session, source: Source) -> None:
        """Record, then fold. A frame at a time: between two of them pictures can be made."""
        recorder, rewind = self._recorder, self._rewind
        async for frame in source.frames():
            self._begun = self._begun or source.link.phase == "live"
            if recorder is not None:
                recorder.write(frame)
            if rewind is not None:
                rewind.write(frame)
            before = session.at
            session.feed(frame)
            if recorder is not None and recorder.wants_state and session.at != before:
                recorder.write(_state_of(session))
            if rewind is not None:
                rewind.folded(frame)
            self.frames += 1

    async def _picture(self, session: Session) -> None:
        """Make pictures as time passes, and at once when one is asked for.

        After each, the feed has its thread; who asks needn't wait for that, but may borrow only so much of it.
        """
        assert self._wanted is not None
        now, pictures, shown = asyncio.get_running_loop().time, self._pictures, -1.0
        while True:
            await self._wait(max(pictures.every_s, pictures.free_at - now()))
            asked = self._wanted.is_set()
            self._wanted.clear()
            await asyncio.sleep(pictures.free_at - now() - (BORROWED_S if asked else 0.0))
            if asked or session.at != shown:
                shown = session.at
                self._show(session)

    async def _wait(self, seconds: float) -> None:
        """Until a picture is asked for, or so long."""
        assert self._wanted is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), seconds)

    def _show(self, session: Session) -> None:
        """Time alone, before the other end has told anything, is no picture."""
        if session.at and self._begun:
            self._pictures.make(session, asyncio.get_running_loop().time)


def _state_of(session: Session) -> bytes:
    return msgspec.json.encode(session.welcome())
