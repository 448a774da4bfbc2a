"""Terminal output besides frames: notifications, title, and progress state in tab or taskbar.

Written through the app's driver, in order with the frames, and only while the terminal keeps up: a stalled terminal
must not stall the console. Used for live feeds, not for replays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from voicetop.engine.snapshot import Severity
from voicetop.engine.snapshot.timeline import GRAVITY
from voicetop.notify.desk.grouping import Notice
from voicetop.notify.desk.terminal import Terminal
from voicetop.ui.feed import FeedHandle
from voicetop.ui.feeds import Feeds
from voicetop.ui.style.display_options import SIGNS
from voicetop.ui.terminal.app import TerminalApp

POLL_S = 0.25
MAX_QUEUED = 20


class TerminalNotices:
    """One terminal's notices. `begin` once the app runs; `ring` from any thread; `end` returns the closing sequence."""

    def __init__(self, app: TerminalApp, feeds: Feeds, terminal: Terminal, name: str) -> None:
        self._app = app
        self._feeds = feeds
        self._terminal = terminal
        self._name = name
        self._queue: deque[str] = deque(maxlen=MAX_QUEUED)
        self._shown: Severity | None = None

    def begin(self) -> None:
        """Start polling the verdicts."""
        self._app.set_interval(POLL_S, self.poll)
        self._app.app_suspend_signal.subscribe(self._app, lambda _: self._suspend())

    def ring(self, notice: Notice) -> None:
        """Show a notification of an alert."""
        self._queue.append(self._terminal.notice(notice.title, notice.text, notice.name))
        self._app.call_soon(self._send)

    def poll(self) -> None:
        """Update title and progress state if the verdict changed, and send queued output."""
        worst = worst_of(handle for _, handle in self._feeds.all)
        if worst is not None and worst != self._shown:
            if self._shown is None:
                self._queue.append(self._terminal.begin())
            self._shown = worst
            title = self._terminal.titled(f"{SIGNS[worst].text} · {self._feed_name()}")
            self._queue.append(title + self._terminal.progress(worst))
        self._send()

    def _feed_name(self) -> str:
        """The deployment of the feed on the screen, else the name the user typed."""
        latest = self._feeds.current.handle.latest
        return latest.deployment if latest is not None and latest.deployment else self._name

    def end(self) -> str:
        """The sequence that restores the terminal."""
        return self._terminal.end() if self._shown is not None else ""

    def _suspend(self) -> None:
        """Restore the terminal for the shell; the first poll after it sets title and progress again."""
        self._app.write(self.end())
        self._shown = None

    def _send(self) -> None:
        while self._queue and self._app.has_taken_all():
            self._app.write(self._queue.popleft())


def worst_of(feeds: Iterable[FeedHandle]) -> Severity | None:
    """The worst severity of all feeds; None before the first snapshot."""
    severities = [handle.latest.verdict.severity for handle in feeds if handle.latest is not None]
    return max(severities, key=GRAVITY.index, default=None)
