"""The cases: small inputs that went wrong once, in the shared folder. Its README says what each of them is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.pipecat.pipecat_dumps import shared_folder
from hub.wound_hub import WoundHub


def case(name: str) -> Path:
    """The path of a case; a test is skipped where there is no shared folder."""
    path = shared_folder() / "cases" / name
    if not path.exists():
        pytest.skip(f"no case {path}")
    return path


async def feed(hub: WoundHub, lines: str) -> None:
    """Tell a hub the JSON lines of a case, as the `feed.py` among the cases does: with a status every 5 s."""
    hub.source = "cases"
    for line in lines.splitlines():
        if not line or line.startswith("#"):
            continue
        told = json.loads(line)
        if "wait" in told:
            await hub.pass_(told["wait"])
        elif "frame" in told:
            await hub.tell_raw(told["frame"].replace("@NOW@", str(hub.clock.now)))
        else:
            await hub.tell({"source": "cases", **told})
