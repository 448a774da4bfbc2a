"""A live console tells its person of alerts: by the terminal, and by the desktop where it runs on one.

Only live feeds have effects to listen to; a replay has nobody to hand them to. Lines instead of a screen ring too where
they go to a terminal; in a pipe or a log nobody is in front of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TextIO

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
    """`listen` before a feed starts, `show_on` before the app runs, `begin` once it paints, `end` when it has left.

    Without an app `show_beside` the lines.
    """

    def __init__(self, feeds: Sequence[tuple[str, RunningFeed]], settings: Config, *, utc: bool) -> None:
        self._live = [(name, feed) for name, feed in feeds if isinstance(feed, LiveFeed)]
        self._settings = settings
        self._utc = utc
        self._notifier: ConsoleNotifier | None = None
        self._app: ConsoleApp | None = None
        self._notices: TerminalNotices | None = None
        self._beside: TextIO | None = None

    def listen(self) -> None:
        """Hear what the live feeds have to tell."""
        for name, feed in self._live:
            whose = "" if "://" in name else name
            feed.on_effect.append(self._hearer(whose))

    def show_on(self, app: ConsoleApp, name: str) -> None:
        """Where it is to be shown."""
        if not self._live:
            return
        from voicetop.notify.desk.terminal import Terminal
        from voicetop.ui.terminal.notices import TerminalNotices

        terminal = Terminal.of(self._settings.notify, os.environ)
        self._app, self._notices = app, TerminalNotices(app, app.feeds, terminal, name)

    def show_beside(self, *streams: TextIO) -> None:
        """Ring the first of these that is a terminal; where none is, listen to nothing."""
        self._beside = next((stream for stream in streams if stream.isatty()), None)
        if self._beside is not None:
            self.listen()

    def begin(self) -> None:
        """The app runs."""
        if self._notices is not None:
            self._notices.begin()

    def end(self) -> None:
        """Leave the terminal as it was. Textual draws on the standard error, and so was all of this."""
        if self._notifier is not None:
            self._notifier.close()
        if self._notices is not None:
            sys.stderr.write(self._notices.end())
            sys.stderr.flush()

    def _hearer(self, whose: str) -> Callable[[Effect], None]:
        def hear(effect: Effect) -> None:
            from msgspec.structs import replace

            told = replace(effect, summary=f"{whose}: {effect.summary}") if whose else effect
            self._get_notifier().notify(told)

        return hear

    def _get_notifier(self) -> ConsoleNotifier:
        """Made with the first effect: most nights nobody needs one."""
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
        elif self._beside is not None:
            from voicetop.notify.desk.terminal import Terminal

            terminal = Terminal.of(self._settings.notify, os.environ)
            self._beside.write(terminal.notice(notice.title, notice.text, notice.name))
            self._beside.flush()

    def _warn(self, text: str) -> None:
        if self._app is not None:
            self._app.call_soon(partial(self._app.say, text))
        elif self._beside is not None:
            sys.stderr.write(f"voicetop: {text}\n")
