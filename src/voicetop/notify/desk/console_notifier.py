"""Tells the person at a console: what the gate lets through rings the terminal and pops up on the desktop.

Effects come from the feeds' threads; a thread of its own waits, groups and talks to the desktop, so that neither the
feed nor the screen ever does. It begins with the first effect: a quiet night costs nothing.
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
    """`hear` from any thread. `ring` writes a notice to the terminal; `complain` says, once, why nothing pops up."""

    def __init__(
        self,
        config: NotifyConfig,
        env: Mapping[str, str],
        clock: Clock,
        *,
        ring: Callable[[Notice], None],
        complain: Callable[[str], None] = lambda _: None,
        utc: bool = False,
    ) -> None:
        self._trouble = ""
        self._complain = complain
        self._env = dict(env)
        self._clock = clock
        self._gate = NoticeGrouping(config, utc=utc)
        self._ring = ring
        self._pops_up = config.desktop and not desktop.why_not(env)
        self._heard: queue.SimpleQueue[Effect | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="voicetop herald", daemon=True)
        self._lock = threading.Lock()

    def hear(self, effect: Effect) -> None:
        """Take an effect; returns at once."""
        with self._lock:
            if not self._thread.ident:
                self._thread.start()
        self._heard.put(effect)

    def close(self) -> None:
        """Say nothing more."""
        self._heard.put(None)

    def _run(self) -> None:
        while True:
            try:
                effect = self._heard.get(timeout=self._gate.wait(self._clock.time()))
            except queue.Empty:
                self._tell()
                continue
            if effect is None:
                return
            self._gate.let_in(effect, self._clock.time())
            self._tell()

    def _tell(self) -> None:
        notice = self._gate.due(self._clock.time())
        if notice is None:
            return
        self._ring(notice)
        if self._pops_up:
            try:
                desktop.show(notice.title, notice.text, self._env)
            except DeliveryFailed as failure:
                if not self._trouble:
                    self._trouble = f"no pop-up on the desktop: {failure}"
                    self._complain(self._trouble)
