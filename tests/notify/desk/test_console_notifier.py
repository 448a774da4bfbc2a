"""Effects from a feed's thread become notices, and never delay the feed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from notify.receivers import effect
from voicetop.clock import WallClock
from voicetop.notify.desk.console_notifier import ConsoleNotifier
from voicetop.notify.desk.grouping import Notice
from voicetop.notify.settings import NotifyConfig


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_effects_of_several_threads_become_one_notice() -> None:
    notices: list[Notice] = []
    notifier = ConsoleNotifier(NotifyConfig(desktop=False), {}, WallClock(), ring=notices.append)
    threads = [threading.Thread(target=notifier.notify, args=(effect(number=number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: notices)
    assert [notice.title for notice in notices] == ["voicetop: 4 alerts"]
    notifier.close()


def test_a_quiet_night_starts_no_thread() -> None:
    before = threading.active_count()
    notifier = ConsoleNotifier(NotifyConfig(), {}, WallClock(), ring=lambda _: None)
    assert threading.active_count() == before
    notifier.close()


@pytest.mark.skipif(find_spec("dbus") is not None, reason="dbus-python shows it without notify-send")
def test_a_missing_pop_up_is_explained_once(tmp_path: Path) -> None:
    notices: list[Notice] = []
    said: list[str] = []
    env = {
        **{key: value for key, value in os.environ.items() if not key.startswith("SSH_")},
        "PATH": str(tmp_path),
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere",
    }
    notifier = ConsoleNotifier(NotifyConfig(), env, WallClock(), ring=notices.append, warn=said.append)
    notifier.notify(effect(number=1))
    until(lambda: said)
    notifier.notify(effect(number=2))
    until(lambda: len(notices) == 2)
    notifier.close()
    assert len(said) == 1
    assert "install notify-send" in said[0]
