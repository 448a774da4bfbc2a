"""The history of a live feed, to go back in while it continues.

Frames are recorded as they arrive: to the recording that the user asked for, else to temporary files, bounded in size
and age. Checkpoints are saved next to them, and a `Player` plays it all. The feed's thread only hands over frames, and
a state from time to time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voicetop.clock import Clock, WallClock
from voicetop.engine.snapshot import NAN
from voicetop.engine.snapshot.timeline import Timeline
from voicetop.formatting.numbers import known
from voicetop.recording import Recorder
from voicetop.recording.reader import shard_files
from voicetop.recording.shards import Shards
from voicetop.replay.live_checkpoints import LiveCheckpoints
from voicetop.replay.options import HistoryLimits, PlaybackStart
from voicetop.replay.playback_thread import Annotations
from voicetop.replay.player import Player
from voicetop.replay.recording_set import RecordingSet
from voicetop.replay.scratch import Scratch
from voicetop.replay.timeline_scan import follow
from voicetop.sources import Act
from voicetop.views.timeline_builder import MOST_NOTES, TimelineBuilder
from voicetop.wire.batches import ends_with_heartbeat
from voicetop.wire.events import NOTING, Operator

if TYPE_CHECKING:
    from voicetop.engine.config import EngineConfig
    from voicetop.session import Session

FILES = 8
"""The number of files that the history is split into, so that deleting the oldest loses little."""
LEAST_FILE_S = 60.0
STATE_SHARE = 0.25
"""The share of the bytes for checkpoints."""
APART_S = 20.0
COST = 0.02
"""The share of the feed's time that may go into checkpoints."""
PUBLISH_S = 1.0
FLUSH_S = 0.25
CLOSE_S = 2.0
"""A hung disk must not delay the exit for data that is thrown away."""
LEVEL = 1
"""The zstd level: lower than for recordings, since the history is kept for only two hours."""
QUEUE_BYTES = 16 * 1024 * 1024
"""Frames that may wait for a slow disk; beyond that the history has a gap."""


class LiveHistory:
    """Used on the feed's own thread. `past` may be used from any other.

    With a `recorder`, `past` plays what that writes; the caller still closes it. Raises RecordingError if nothing can
    be recorded.
    """

    def __init__(
        self,
        session: Session,
        *,
        where: str,
        annotations: Annotations,
        limits: HistoryLimits,
        config: Callable[[], EngineConfig] | None = None,
        recorder: Recorder | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or WallClock()
        self._scratch = Scratch()
        self._recorder: Recorder | None = None
        self._path = self._where_recorded(recorder, limits)
        self._first_file = next(iter(self._files()), None) if self._recorder is not None else None
        self._states = LiveCheckpoints(self._scratch.path, self._files, int(limits.size * STATE_SHARE))
        self._timeline_source = LiveTimeline()
        self._session = session
        self._beat_at = self._saved_at = NAN
        self._not_before = 0.0
        session.on_beat.append(lambda beat: self._beat(beat.at))
        follow(session, self._timeline_source.builder)
        self.past = Player(
            self._open_recordings,
            where=where,
            timeline_source=self._timeline_source,
            annotations=annotations,
            config=config,
            start=PlaybackStart(at=math.inf, playing=False),
        )

    @property
    def note(self) -> str:
        """Why new data can't be gone back to, in one line."""
        error = self._recorder.error if self._recorder is not None else ""
        return f"you can't go back to new data: {error}" if error else ""

    def write(self, frame: bytes) -> None:
        """Record a frame, before it is folded."""
        if self._recorder is not None:
            self._recorder.write(frame)

    def folded(self, frame: bytes) -> None:
        """After a frame was folded: save the state from time to time."""
        at = self._session.at
        if self._beat_at != at:  # no heartbeat in this frame
            return
        self._beat_at = NAN
        if not known(self._saved_at):
            self._saved_at = at
        if at - self._saved_at >= APART_S and self._may_save() and ends_with_heartbeat(frame):
            self._saved_at = at
            self._save_state(at)
        if at - self._timeline_source.published_at >= PUBLISH_S or self._timeline_source.published_at > at:
            self._timeline_source.publish(at, self._first_at())

    def finish(self) -> None:
        """End of the feed: write everything to the files. The history can still be played."""
        if self._recorder is not None:
            self._recorder.close(CLOSE_S)

    def close(self) -> None:
        """Stop, and delete temporary files."""
        self.past.close()
        self._states.close()
        self.finish()
        self._scratch.close()

    def _where_recorded(self, recorder: Recorder | None, limits: HistoryLimits) -> Path:
        if recorder is not None and not recorder.is_stream:
            return Path(recorder.path)
        folder = self._scratch.path / "feed"
        shards = Shards(
            folder,
            shard_s=max(LEAST_FILE_S, limits.seconds / FILES),
            keep_s=limits.seconds,
            keep_bytes=int(limits.size * (1 - STATE_SHARE)),
            durable=False,
            clock=self._clock,
        )
        try:
            self._recorder = Recorder(
                folder,
                shards=shards,
                flush_s=FLUSH_S,
                level=LEVEL,
                queue_bytes=QUEUE_BYTES,
                clock=self._clock,
            )
        except BaseException:
            self._scratch.close()
            raise
        return folder

    def _files(self) -> list[Path]:
        return shard_files(self._path) if self._path.is_dir() else [self._path]

    def _open_recordings(self, new_session: Callable[[], Session]) -> RecordingSet:
        return RecordingSet(self._path, new_session, states=self._states, earliest=self._first_at)

    def _first_at(self) -> float:
        """The earliest stamp to seek to: 0.0 until the first temporary file is deleted."""
        if self._first_file is None or self._first_file.exists():
            return 0.0
        return self._states.first_at()

    def _beat(self, at: float) -> None:
        self._beat_at = at

    def _may_save(self) -> bool:
        return not self._session.engine.feed.local and self._clock.monotonic() >= self._not_before

    def _save_state(self, at: float) -> None:
        """Save the state, and limit how often by what it costs."""
        began = self._clock.monotonic()
        self._states.add(self._session.welcome(), at)
        now = self._clock.monotonic()
        self._not_before = now + (now - began) / COST


class LiveTimeline:
    """A `playback_thread.TimelineSource` filled by the feed itself, if at all: lines of text show none."""

    def __init__(self) -> None:
        self.builder = TimelineBuilder()
        self.timeline = Timeline()
        self.published_at = -math.inf

    def publish(self, at: float, since: float) -> None:
        """Publish the timeline up to `at`."""
        self.published_at = at
        self.timeline = self.builder.timeline(complete=True, since=since)

    def begin(self, recordings: RecordingSet, idle: threading.Event) -> None:
        """Nothing to do: the feed fills it."""

    def close(self) -> None:
        """Nothing to stop."""


class LiveNotes:
    """The `playback_thread.Annotations` of a live feed: notes go to the hub, and come back with the feed.

    `update` takes the acts of the live session, so that going back in time also shows later notes.
    """

    def __init__(self, operate: Callable[[Act], str]) -> None:
        self.acts: list[Operator] = []
        self.failures: list[str] = []
        self.operate = operate
        self._latest: Sequence[Operator] = ()

    def update(self, operators: Sequence[Operator]) -> None:
        """Take the engine's acts: a different sequence whenever one was added."""
        if operators is self._latest:
            return
        before = {act.event_id for act in self._latest}
        self._latest = operators
        self.acts += [act for act in operators if act.act in NOTING and act.event_id not in before]
        del self.acts[:-MOST_NOTES]

    def load(self) -> None:
        """Nothing to do: they come with the feed."""
