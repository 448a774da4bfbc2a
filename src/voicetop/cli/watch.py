"""`voicetop watch URL`: watches a hub without a screen and sends notifications, e.g. under systemd."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from voicetop import config as configuration
from voicetop.cli.config_warnings import warn
from voicetop.cli.hubs import HubChoice, hubs_of
from voicetop.cli.log import log
from voicetop.clock import WallClock
from voicetop.connection.address import client_tls
from voicetop.errors import NotifyError, UsageError
from voicetop.locations import history_file, state_dir
from voicetop.notify.dead_mans_switch import DeadMansSwitch
from voicetop.notify.delivery import Delivery
from voicetop.notify.queue import DeliveryCounts, DeliveryQueue
from voicetop.notify.secrets import SecretStore
from voicetop.notify.targets.registry import named, targets_of

if TYPE_CHECKING:
    from voicetop.config import Config
    from voicetop.notify.watcher import Watcher

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FLUSH_S = 5.0
ALIVE_S = 5.0
STUCK_S = 600.0
"""When a message has waited this long, delivery counts as stuck, and the heartbeat stops."""

_EPILOG = """\
targets are in [notify] of the config (docs/notify.md); `voicetop notify test` tests each of them. The hub's token,
role watcher, is read from VOICETOP_TOKEN or the config. Run two watchers on two machines: one is active, and the hub
activates the other if the first disappears. SIGTERM, SIGINT and SIGHUP stop it; pending notifications are kept for
the next start.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `voicetop watch`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("url", metavar="URL", nargs="?", help="the hub, or a feed name from the config")
    add("--cafile", metavar="PEM", help="CA certificates for wss:// (default: the system's)")
    add("--queue", metavar="FILE", help=f"file for pending notifications (default {queue_file()})")
    add(
        "--history",
        metavar="FILE",
        nargs="?",
        default="",
        const=str(history_file()),
        help="also keep incidents in a history store, if the hub doesn't",
    )


def queue_file() -> Path:
    """The default file for pending notifications."""
    return state_dir() / "outbox.db"


def run(args: argparse.Namespace) -> int:
    """Watch until a signal arrives. Raises UsageError, ConfigError, NotifyError or FeedRefused before it starts."""
    settings = configuration.load(*configuration.HUB_KEYS, "notify")
    for mistake in configuration.user_rules().mistakes:
        raise mistake
    warn(settings)
    hubs = hubs_of([args.url] if args.url else [], settings)
    if len(hubs) != 1:
        raise UsageError("watch one hub per process: name one, and start another voicetop watch for the next")
    if not named(settings.notify):
        raise NotifyError(
            "no notification targets configured: add PagerDuty, Slack or others to [notify], see docs/notify.md"
        )
    return asyncio.run(_run(args, settings, hubs[0]))


async def _run(args: argparse.Namespace, settings: Config, hub: HubChoice) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.set)
    path = Path(args.queue) if args.queue else queue_file()
    with _locked(path) as lock:
        while not lock.taken and not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await stop.wait()
            lock.try_lock()
        return 0 if stop.is_set() else await _watch(args, settings, hub, path, stop)


async def _watch(
    args: argparse.Namespace, settings: Config, hub: HubChoice, path: Path, stop: asyncio.Event
) -> int:
    from voicetop.history.incidents import open_log
    from voicetop.notify.watcher import Watcher
    from voicetop.session import Session
    from voicetop.sources.socket import SocketSource

    clock, secrets = WallClock(), SecretStore()
    name = hub.name if "://" not in hub.name else ""
    targets = targets_of(settings.notify, secrets, name, utc=settings.utc)
    source = SocketSource(hub.url, hub.token or None, "watcher", ssl=client_tls(hub.url, args.cafile))
    queue = DeliveryQueue(path)
    delivery = Delivery(queue, targets, clock, log)
    watch = Watcher(
        source,
        Session(settings.engine()),
        delivery,
        clock,
        log,
        blind_after_s=settings.notify.blind_after_s,
        history=open_log(args.history, "watch", log),
    )
    jobs = [watch.run(), _tell_systemd(clock)]
    if settings.notify.heartbeat_url:
        jobs.append(_heartbeat(settings, secrets, clock, watch, queue).run())
    log(f"watching {hub.url}, notifying {', '.join(target.name for target in targets)}")
    try:
        return await _until(stop, jobs, delivery)
    finally:
        queue.close()
        for target in targets:
            target.close()


def _heartbeat(
    settings: Config, secrets: SecretStore, clock: WallClock, watch: Watcher, queue: DeliveryQueue
) -> DeadMansSwitch:
    def healthy() -> bool:
        oldest = queue.counts().oldest
        return watch.seeing and watch.on_duty and not (oldest and clock.time() - oldest > STUCK_S)

    notify = settings.notify
    url = secrets.get(notify.heartbeat_url)
    return DeadMansSwitch(url, secrets, clock, log, every_s=notify.heartbeat_s, healthy=healthy)


async def _until(stop: asyncio.Event, jobs: list, delivery: Delivery) -> int:  # type: ignore[type-arg]
    """Run all jobs until `stop` is set or one of them ends. Raises its exception."""
    running = [asyncio.create_task(job) for job in jobs]
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({*running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stopping in done:
        for number in SIGNALS:  # a second signal ends it at once
            asyncio.get_running_loop().remove_signal_handler(number)
        log("stopping")
        await delivery.flush(FLUSH_S)
    for task in (*running, stopping):
        task.cancel()
    results = await asyncio.gather(*running, return_exceptions=True)
    log(f"stopped; {_remaining(delivery.queue.counts())}")
    for result in results:
        if isinstance(result, Exception):
            raise result
    return 0


def _remaining(counts: DeliveryCounts) -> str:
    """The pending messages of a queue, and possible duplicates."""
    parts = [f"{counts.pending} pending" if counts.pending else "all notifications sent"]
    if counts.quiet:
        parts.append(f"{counts.quiet} waiting for the end of quiet hours")
    if counts.repeats:
        parts.append(f"{counts.repeats} may have been sent twice")
    return ", ".join(parts)


async def _tell_systemd(clock: WallClock) -> None:
    """Send READY, then WATCHDOG while the event loop runs (sd_notify(3)); nothing without systemd."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        await asyncio.Event().wait()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        message = b"READY=1"
        while True:
            with contextlib.suppress(OSError):
                line.sendto(message, "\0" + address[1:] if address.startswith("@") else address)
            message = b"WATCHDOG=1"
            await clock.sleep(ALIVE_S)


class _Lock:
    """One watcher per queue: a second one on this machine waits until the first ends, and takes over its queue."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise NotifyError(
                f"{path}: cannot create the queue: {error.strerror}; name another with --queue"
            ) from None
        self.taken = False
        self.try_lock()
        if not self.taken:
            log(f"another watcher on this machine uses {path}: standing by")

    def try_lock(self) -> None:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.taken = True

    def close(self) -> None:
        os.close(self._file)


@contextmanager
def _locked(path: Path) -> Iterator[_Lock]:
    lock = _Lock(path)
    try:
        yield lock
    finally:
        lock.close()
