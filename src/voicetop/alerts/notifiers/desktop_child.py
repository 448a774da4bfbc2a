"""The child of `desktop`: reads one notification as JSON from its standard input and hands it to plyer.

It ends with 1 where plyer has no way to show anything: with no dbus-python and no notify-send it would do nothing.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from importlib.util import find_spec

SHOWN_S = 10


def main() -> int:
    """Show what standard input says."""
    told = json.load(sys.stdin)
    if sys.platform.startswith("linux") and not (find_spec("dbus") or shutil.which("notify-send")):
        return 1
    warnings.simplefilter("ignore")  # plyer warns of what it does without
    from plyer import notification  # noqa: PLC0415 - the parent never imports it

    notification.notify(title=told["title"], message=told["text"], app_name="voicetop", timeout=SHOWN_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
