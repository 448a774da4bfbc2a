"""Notifies the user of a console: grouped notices ring the terminal and pop up on the desktop.

Effects come from the feeds' threads; a separate thread groups them and talks to the desktop, so that neither feed nor
screen waits for it. The thread starts with the first effect: a quiet night costs nothing.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping

from voicetop.alerts.signals import Effect
from voicetop.clock import Clock
from voicetop.notify.desk import desktop
from voicetop.notify.desk.grouping import Notice, NoticeGrouping
from voicetop.notify.settings import NotifyConfig
from voicetop.notify.targets.base import DeliveryFailed


class ConsoleNotifier:
    """Call `notify` from any thread. `ring` writes a notice to the terminal; `warn` says, once, why nothing pops up."""

    def __init__(
        self,
        config: NotifyConfig,
        env: Mapping[str, str],
        clock: Clock,
        *,
        ring: Callable[[Notice], None],
        warn: Callable[[str], None] = lambda _: None,
        utc: bool = False,
    ) -> None:
        self._trouble = ""
        self._warn = warn
        self._env = dict(env)
        self._clock = clock
        self._grouping = NoticeGrouping(config, utc=utc)
        self._ring = ring
        self._pops_up = config.desktop and not desktop.why_not(env)
        self._effects: queue.SimpleQueue[Effect | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="voicetop notices", daemon=True)
        self._lock = threading.Lock()

    def notify(self, effect: Effect) -> None:
        """Queue an effect; returns at once."""
        with self._lock:
            if not self._thread.ident:
                self._thread.start()
        self._effects.put(effect)

    def close(self) -> None:
        """Stop notifying."""
        self._effects.put(None)

    def _run(self) -> None:
        while True:
            try:
                effect = self._effects.get(timeout=self._grouping.wait(self._clock.time()))
            except queue.Empty:
                self._show_due()
                continue
            if effect is None:
                return
            self._grouping.add(effect, self._clock.time())
            self._show_due()

    def _show_due(self) -> None:
        notice = self._grouping.due(self._clock.time())
        if notice is None:
            return
        self._ring(notice)
        if self._pops_up:
            try:
                desktop.show(notice.title, notice.text, self._env)
            except DeliveryFailed as failure:
                if not self._trouble:
                    self._trouble = f"no pop-up on the desktop: {failure}"
                    self._warn(self._trouble)
