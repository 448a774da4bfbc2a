"""The child of `desktop`: reads one notification as JSON from its standard input and hands it to plyer.

It ends with 1 where plyer has no way to show anything: with no dbus-python and no notify-send it would do nothing; and
with 2 where there is a session bus and nobody on it who shows notifications, for plyer says nothing of that either.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from importlib.util import find_spec

SHOWN_S = 10
NO_WAY, NOBODY = 1, 2
SERVICE = "org.freedesktop.Notifications"
ASK_S = 2.0


def main() -> int:
    """Show what standard input says."""
    told = json.load(sys.stdin)
    if sys.platform.startswith("linux"):
        if not (find_spec("dbus") or shutil.which("notify-send")):
            return NO_WAY
        if _nobody_listens():
            return NOBODY
    warnings.simplefilter("ignore")  # plyer warns of what it does without
    from plyer import notification  # noqa: PLC0415 - the parent never imports it

    notification.notify(title=told["title"], message=told["text"], app_name="voicetop", timeout=SHOWN_S)
    return 0


def _nobody_listens() -> bool:
    """Whether the bus knows no notification service, nor how to start one. Where it can't be asked there may be one."""
    owner = _ask_bus("NameHasOwner", f"string:{SERVICE}")
    return "boolean false" in owner and f'"{SERVICE}"' not in _ask_bus("ListActivatableNames")


def _ask_bus(method: str, *words: str) -> str:
    """What the session bus itself answers; empty where it doesn't."""
    program = shutil.which("dbus-send")
    if program is None:
        return ""
    name = "org.freedesktop.DBus"
    command = [program, "--session", "--print-reply", f"--dest={name}", "/org/freedesktop/DBus"]
    try:
        asked = subprocess.run(  # noqa: S603 - our own words
            [*command, f"{name}.{method}", *words], capture_output=True, text=True, timeout=ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout


if __name__ == "__main__":
    sys.exit(main())
