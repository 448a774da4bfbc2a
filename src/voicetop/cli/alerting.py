"""Notifies the user of a live console of alerts, through the terminal and the local desktop.

Only live feeds have effects; replays don't notify. `--plain` notifies too if its output is a terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TextIO

from voicetop.cli.log import say
from voicetop.clock import WallClock
from voicetop.live import LiveFeed

if TYPE_CHECKING:
    from voicetop.alerts.signals import Effect
    from voicetop.config import Config
    from voicetop.notify.desk.console_notifier import ConsoleNotifier
    from voicetop.notify.desk.grouping import Notice
    from voicetop.ui.app import ConsoleApp
    from voicetop.ui.feed import RunningFeed
    from voicetop.ui.terminal.notices import TerminalNotices


class ConsoleAlerts:
    """Call `listen` before a feed starts, `show_on` before the app runs, `begin` once it paints, `end` after it exits.

    Without an app, call `show_beside`.
    """

    def __init__(self, feeds: Sequence[tuple[str, RunningFeed]], settings: Config, *, utc: bool) -> None:
        self._live = [(name, feed) for name, feed in feeds if isinstance(feed, LiveFeed)]
        self._settings = settings
        self._utc = utc
        self._notifier: ConsoleNotifier | None = None
        self._app: ConsoleApp | None = None
        self._notices: TerminalNotices | None = None
        self._stream: TextIO | None = None

    def listen(self) -> None:
        """Subscribe to the effects of the live feeds."""
        for name, feed in self._live:
            feed.on_effect.append(self._listener("" if "://" in name else name))

    def show_on(self, app: ConsoleApp, name: str) -> None:
        """Show notifications on the terminal of `app`."""
        if not self._live:
            return
        from voicetop.notify.desk.terminal import Terminal
        from voicetop.ui.terminal.notices import TerminalNotices

        terminal = Terminal.of(self._settings.notify, os.environ)
        self._app, self._notices = app, TerminalNotices(app, app.feeds, terminal, name)

    def show_beside(self, *streams: TextIO) -> None:
        """Notify on the first stream that is a terminal; without one, don't listen at all."""
        self._stream = next((stream for stream in streams if stream.isatty()), None)
        if self._stream is not None:
            self.listen()

    def begin(self) -> None:
        """Called when the app runs."""
        if self._notices is not None:
            self._notices.begin()

    def end(self) -> None:
        """Restore the terminal. Textual and the notices write to standard error."""
        if self._notifier is not None:
            self._notifier.close()
        if self._notices is not None:
            sys.stderr.write(self._notices.end())
            sys.stderr.flush()

    def _listener(self, feed: str) -> Callable[[Effect], None]:
        def on_effect(effect: Effect) -> None:
            from msgspec.structs import replace

            named = replace(effect, summary=f"{feed}: {effect.summary}") if feed else effect
            self._get_notifier().notify(named)

        return on_effect

    def _get_notifier(self) -> ConsoleNotifier:
        """Created with the first effect, which most sessions never get."""
        if self._notifier is None:
            from voicetop.notify.desk.console_notifier import ConsoleNotifier

            self._notifier = ConsoleNotifier(
                self._settings.notify,
                os.environ,
                WallClock(),
                ring=self._ring,
                warn=self._warn,
                utc=self._utc,
            )
        return self._notifier

    def _ring(self, notice: Notice) -> None:
        if self._notices is not None:
            self._notices.ring(notice)
        elif self._stream is not None:
            from voicetop.notify.desk.terminal import Terminal

            terminal = Terminal.of(self._settings.notify, os.environ)
            self._stream.write(terminal.notice(notice.title, notice.text, notice.name))
            self._stream.flush()

    def _warn(self, text: str) -> None:
        if self._app is not None:
            self._app.call_soon(partial(self._app.say, text))
        elif self._stream is not None:
            say(text)
