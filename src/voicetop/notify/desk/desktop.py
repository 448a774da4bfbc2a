"""Desktop pop-ups through plyer, in a child process: plyer may hang, print over the screen, or lose a text.

Without a session bus plyer returns as if it had worked; a hung notification daemon blocks it for 25 s; it takes a text
that begins with "-" for an option. So the child has its own process group, reads cleaned text as JSON from its standard
input, writes to /dev/null and is killed after a few seconds. Over SSH, or without a desktop, nothing is started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from voicetop.notify.desk.desktop_child import NO_SERVICE
from voicetop.notify.targets.base import DeliveryFailed
from voicetop.wire.text import safe_text

LIMIT_S = 5.0
MOST_TITLE, MOST_TEXT = 120, 400
_CHILD = "voicetop.notify.desk.desktop_child"


def why_not(env: Mapping[str, str], platform: str = sys.platform) -> str:
    """Why no desktop is available; empty if one is."""
    if env.get("SSH_CONNECTION") or env.get("SSH_TTY"):
        return "the desktop is on another machine (SSH)"
    if not platform.startswith("linux"):
        return ""
    if env.get("DBUS_SESSION_BUS_ADDRESS"):
        return ""
    runtime = env.get("XDG_RUNTIME_DIR", "")
    if runtime and (Path(runtime) / "bus").exists():
        return ""
    return "this machine has no desktop session (no session bus)"


def show(title: str, text: str, env: Mapping[str, str] = os.environ, limit_s: float = LIMIT_S) -> None:
    """Show a pop-up. Blocks for `limit_s` at most. Raises DeliveryFailed if it certainly wasn't shown."""
    payload = json.dumps({"title": plain(title, MOST_TITLE), "text": plain(text, MOST_TEXT)}).encode()
    try:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter, words of our own
            [sys.executable, "-m", _CHILD],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise DeliveryFailed(f"cannot start a process for it: {error.strerror}") from None
    try:
        child.communicate(payload, timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise DeliveryFailed(
            f"no response from the desktop within {limit_s:g} s: check its notification service"
        ) from None
    except BrokenPipeError:
        pass
    finally:
        _end(child)
    if child.returncode == NO_SERVICE:
        raise DeliveryFailed("this desktop has no notification service: start one, such as dunst or mako")
    if child.returncode:
        raise DeliveryFailed("plyer can't show it: install notify-send (libnotify-bin) or python3-dbus")


def plain(text: str, limit: int) -> str:
    r"""Text that no notifier interprets as an option, markup or control sequence.

    >>> plain("-h <b>\x1b", 20)
    '· -h ‹b›'
    """
    safe = safe_text(text, limit).replace("<", "‹").replace(">", "›").strip()
    return f"· {safe}" if safe.startswith("-") else safe


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and its descendants."""
    if child.poll() is None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        child.wait()
