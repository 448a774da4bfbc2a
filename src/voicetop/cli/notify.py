"""`voicetop notify test`: sends a harmless alert to each target, and reports the result."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

from msgspec.structs import replace

from voicetop import config as configuration
from voicetop.alerts.signals import Effect
from voicetop.clock import WallClock
from voicetop.errors import NotifyError, UsageError, nearest
from voicetop.notify.dead_mans_switch import DeadMansSwitch
from voicetop.notify.secrets import SecretStore
from voicetop.notify.settings import NotifyConfig
from voicetop.notify.targets.base import DeliveryFailed
from voicetop.notify.targets.registry import named, open_target

WHAT = ("test",)
LOCAL = ("desktop", "terminal")
Test = Callable[[], str]


def configure(parser: argparse.ArgumentParser) -> None:
    """What to do, and with whom."""
    parser.add_argument(
        "what", metavar="test", help="send a test alert and its resolution to every target in [notify]"
    )
    parser.add_argument(
        "targets", metavar="TARGET", nargs="*", help="only these, such as pagerduty.oncall or desktop"
    )


def run(args: argparse.Namespace) -> int:
    """0 where all of them were told, else 1; a line each. Raises UsageError, ConfigError."""
    if args.what not in WHAT:
        raise UsageError(f"voicetop notify {args.what}: unknown command{nearest(args.what, WHAT)}")
    tests = dict(_tests(configuration.load(configuration.WHOLE_FILE, "notify").notify))
    for name in args.targets:
        if name not in tests:
            raise UsageError(f"unknown target {name!r}{nearest(name, tests)}")
    selected = args.targets or list(tests)
    width = max(map(len, selected))
    failed = 0
    for name in selected:
        healthy, result = _run_test(tests[name])
        failed += not healthy
        print(f"{'ok  ' if healthy else 'FAIL'}  {name:<{width}}  {result}")
        sys.stdout.flush()
    return 1 if failed else 0


def _run_test(test: Test) -> tuple[bool, str]:
    try:
        return True, test()
    except (DeliveryFailed, NotifyError) as error:
        return False, str(error)


def _tests(config: NotifyConfig) -> Iterator[tuple[str, Test]]:
    """The test of each target, by name."""
    yield "desktop", lambda: _desktop(config)
    yield "terminal", lambda: _terminal(config)
    for kind, name in named(config):
        yield f"{kind}.{name}", lambda kind=kind, name=name: _target(kind, name, config)  # type: ignore[misc]
    if config.heartbeat_url:
        yield "heartbeat", lambda: _heartbeat(config)


def _target(kind: str, name: str, config: NotifyConfig) -> str:
    target = open_target(kind, name, config, SecretStore(), "voicetop test")
    fired = example()
    with closing(target):
        ref = target.send(fired, "")
        target.send(replace(fired, reason="resolved", at=WallClock().time()), ref)
    return "sent, then resolved; check that both arrived"


def _desktop(config: NotifyConfig) -> str:
    from voicetop.notify.desk import desktop

    if not config.desktop:
        return "off: desktop = false"
    why = desktop.why_not(os.environ)
    if why:
        return f"skipped: {why}"
    desktop.show("voicetop: a test", "This is how a console notifies you of an alert.")
    return "sent; check that it popped up"


def _terminal(config: NotifyConfig) -> str:
    from voicetop.notify.desk.terminal import Terminal

    terminal = Terminal.of(config, os.environ)
    if not terminal.ways:
        return 'off: terminal = "none"'
    if not sys.stdout.isatty():
        return "skipped: not a terminal"
    sys.stdout.write(terminal.notice("voicetop: a test", "This is how a console notifies you of an alert."))
    return f"sent through {terminal.description}; check that it rang"


def _heartbeat(config: NotifyConfig) -> str:
    secrets = SecretStore()
    url = secrets.get(config.heartbeat_url)
    DeadMansSwitch(url, secrets, WallClock(), print, every_s=config.heartbeat_s, healthy=lambda: True).ping()
    return "the URL responds"


def example() -> Effect:
    """A test alert. Its key is unique, so that each test pages anew."""
    now = WallClock().time()
    key = hashlib.blake2b(repr(now).encode(), digest_size=10).hexdigest()
    return Effect(
        reason="fired",
        key=f"voicetop-test-{key}",
        incident_id="test",
        tier="critical",
        family="feed",
        rule="notify.test",
        where=(),
        at=now,
        onset=now,
        summary="voicetop test: nothing is wrong, no action needed",
        blame="sent by `voicetop notify test`",
    )
