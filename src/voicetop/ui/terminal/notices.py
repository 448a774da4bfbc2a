"""What a terminal is told besides its frames: notices, its title, the light of its tab or taskbar.

Written through the app's own driver, in order with the frames, and only while the terminal takes what it is sent: a
stalled terminal must not stall the console. Started by the command line for live feeds; a replay has none.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from voicetop.engine.snapshot import Severity
from voicetop.notify.desk.grouping import Notice
from voicetop.notify.desk.terminal import Standing, Terminal
from voicetop.ui.feed import FeedHandle
from voicetop.ui.terminal.driver import has_taken_all, send

if TYPE_CHECKING:
    from voicetop.ui.app import ConsoleApp

LOOK_S = 0.25
MOST_OWED = 20
_RANK: dict[Severity, int] = {"learning": 0, "ok": 0, "degraded": 1, "blind": 2, "down": 3}
_HEADS: dict[Standing, str] = {"ok": "● OK", "degraded": "▲ DEGRADED", "down": "■ DOWN", "blind": "? BLIND"}


class TerminalNotices:
    """One terminal's. `begin` once the app runs; `ring` from any thread; `end` is what to write when it has left."""

    def __init__(self, app: ConsoleApp, terminal: Terminal, name: str) -> None:
        self._app = app
        self._terminal = terminal
        self._name = name
        self._owed: deque[str] = deque(maxlen=MOST_OWED)
        self._shown: Standing | None = None

    def begin(self) -> None:
        """Look at the verdicts from now on."""
        self._app.set_interval(LOOK_S, self.look)

    def ring(self, notice: Notice) -> None:
        """Tell of an alert."""
        self._owed.append(self._terminal.notice(notice.title, notice.text, notice.name))
        loop = self._app._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the app has left meanwhile
                loop.call_soon_threadsafe(self._send)

    def complain(self, text: str) -> None:
        """Say something in the last line; from any thread."""
        loop = self._app._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._app.say, text)

    def look(self) -> None:
        """Say how things stand, where that has changed; and what the terminal didn't take before."""
        standing = standing_of(handle for _, handle in self._app.feeds.all)
        if standing is not None and standing != self._shown:
            if self._shown is None:
                self._owed.append(self._terminal.begin())
            self._shown = standing
            title = self._terminal.titled(f"{_HEADS[standing]} · {self._called()}")
            self._owed.append(title + self._terminal.progress(standing))
        self._send()

    def _called(self) -> str:
        """What the feed on the screen calls itself, else what the person typed."""
        latest = self._app.feed.latest
        return latest.deployment if latest is not None and latest.deployment else self._name

    def end(self) -> str:
        """The terminal as it was before."""
        return self._terminal.end() if self._shown is not None else ""

    def _send(self) -> None:
        driver = self._app._driver
        while self._owed and has_taken_all(driver):
            send(driver, self._owed.popleft())


def standing_of(feeds: Iterable[FeedHandle]) -> Standing | None:
    """The worst of all feeds; None before the first has anything to show."""
    seen = [handle.latest.verdict.severity for handle in feeds if handle.latest is not None]
    if not seen:
        return None
    worst = max(seen, key=lambda severity: _RANK[severity])
    return "ok" if worst == "learning" else worst
