"""The child of `desktop`: reads one notification as JSON from standard input and passes it to plyer.

Exits with 1 if plyer can't show anything (neither dbus-python nor notify-send is installed), and with 2 if the session
bus has no notification service: plyer reports neither.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from importlib.util import find_spec

SHOWN_S = 10
NO_BACKEND, NO_SERVICE = 1, 2
SERVICE = "org.freedesktop.Notifications"
ASK_S = 2.0


def main() -> int:
    """Show the notification on standard input. Returns the exit status."""
    payload = json.load(sys.stdin)
    if sys.platform.startswith("linux"):
        if not (find_spec("dbus") or shutil.which("notify-send")):
            return NO_BACKEND
        if _no_service():
            return NO_SERVICE
    warnings.simplefilter("ignore")  # plyer warns about optional libraries
    from plyer import notification  # noqa: PLC0415 - the parent never imports it

    notification.notify(title=payload["title"], message=payload["text"], app_name="voicetop", timeout=SHOWN_S)
    return 0


def _no_service() -> bool:
    """Whether the bus has no notification service and can't start one; False if it can't be asked."""
    owner = _ask_bus("NameHasOwner", f"string:{SERVICE}")
    return "boolean false" in owner and f'"{SERVICE}"' not in _ask_bus("ListActivatableNames")


def _ask_bus(method: str, *words: str) -> str:
    """The session bus's own response; empty if there is none."""
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
