"""From an event to the person: how long until a console's terminal and desktop, and a pager, have it.

    dbus-run-session -- python benchmarks/notice.py [--rounds 5]

A hub; a console in a pseudo-terminal, whose bytes are read; a notification service on the session bus, where there is
one; `voicetop watch` with a local server in PagerDuty's place. Each round publishes a security event, which can't
wait, and measures from there. Goal: within a second at terminal and desktop.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.remove(str(Path(__file__).parent))  # its hub.py would hide tests/hub/
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hub.clients import publisher, send
from notify.receivers import CERT, receiving
from terminal.emulator import Terminal
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session


async def until(true: Callable[[], object], pump: Callable[[], None], seconds: float = 10.0) -> float:
    """Seconds until it is so; inf where it never is."""
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > seconds:
            return float("inf")
        pump()
        await asyncio.sleep(0.005)
    return time.perf_counter() - began


def service(log: Path) -> None:
    """The desktop's, on this session bus."""
    from jeepney import message_bus
    from jeepney.io.blocking import Proxy, open_dbus_connection

    from notify.desk.notification_service import NAME, serve

    connection = open_dbus_connection(bus="SESSION")
    Proxy(message_bus, connection).RequestName(NAME)
    threading.Thread(target=serve, args=(connection, log), kwargs={"hang": False}, daemon=True).start()


async def measure(folder: Path, log: Path) -> dict[str, float]:
    """One round, with a hub of its own: what comes later on the same hub would join the incident."""
    hub = Hub(HubConfig(port=0), new_session=Session)
    await hub.start()
    env = {"XDG_CONFIG_HOME": str(folder), "XDG_STATE_HOME": str(folder), "TERM": "xterm-kitty"}
    with receiving() as pager:
        (folder / "voicetop").mkdir()
        (folder / "voicetop" / "config.toml").write_text(
            f'[notify.pagerduty.p]\nrouting_key = "env:KEY"\nurl = "{pager.url}"\n'
        )
        watcher = subprocess.Popen(  # noqa: ASYNC220 - once
            [sys.executable, "-m", "voicetop", "watch", hub.url],
            env={**os.environ, **env, "KEY": "key", "SSL_CERT_FILE": str(CERT)},
            stderr=subprocess.DEVNULL,
        )
        with Terminal(hub.url, **env) as terminal:  # type: ignore[arg-type]
            await until(lambda: "● LIVE" in terminal.text and len(hub.consoles) == 2, terminal.pump)
            await until(lambda: False, terminal.pump, 1.5)
            before, shown = len(terminal.raw), lines(log)
            connection = await publisher(hub.url)
            event = {"type": "security", "kind": "leak", "label": "a token", "severity": "critical"}
            await send(connection, {"ts": time.time(), **event})
            waits: dict[str, Callable[[], object]] = {
                "terminal": lambda: b"\x1b]99;" in terminal.raw[before:],
                "pager": lambda: pager.opened,
            }
            if os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
                waits["desktop"] = lambda: lines(log) > shown
            found = await asyncio.gather(*(until(true, terminal.pump) for true in waits.values()))
            await connection.close()
        watcher.terminate()
        watcher.wait()
    await hub.close()
    return dict(zip(waits, found, strict=True))


def lines(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    took: dict[str, list[float]] = {"terminal": [], "desktop": [], "pager": []}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "desktop"
        if os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
            service(log)
        for number in range(args.rounds):
            (Path(folder) / str(number)).mkdir()
            for name, seconds in asyncio.run(measure(Path(folder) / str(number), log)).items():
                took[name].append(seconds)
    for name, each in took.items():
        if each:
            middle = sorted(each)[len(each) // 2]
            print(f"event to {name:<9} median {middle * 1000:5.0f} ms, worst {max(each) * 1000:5.0f} ms")
        else:
            print(f"event to {name:<9} not measured: no session bus (dbus-run-session -- python …)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
