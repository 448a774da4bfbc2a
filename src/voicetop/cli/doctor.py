"""`voicetop doctor [URL ...]`: checks terminal, config and feeds, and says what to fix."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata

from voicetop import __version__
from voicetop.cli.config import check
from voicetop.cli.doctor_terminal import TerminalEnvironment, terminal_findings
from voicetop.cli.findings import Finding, written
from voicetop.cli.hubs import HubChoice, hubs_of
from voicetop.config import Config
from voicetop.errors import VoicetopError
from voicetop.formatting.numbers import counted

LIBRARIES = ("textual", "rich", "websockets", "msgspec", "numpy")
TMUX_S = 2.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Which feeds to try."""
    parser.add_argument("urls", metavar="URL", nargs="*", help="hub URLs, or feed names from the config")
    parser.add_argument("--cafile", metavar="PEM", help="CA certificates for wss:// (default: the system's)")
    parser.add_argument("--ascii", action="store_true", help="use only ASCII characters")


def run(args: argparse.Namespace) -> int:
    """0 where all is well, 1 where something is to be mended. Raises UsageError for a URL that is none."""
    problems = 0
    config, findings = _config()
    hubs = hubs_of(args.urls, config)
    problems += _print("terminal", list(terminal_findings(_environment())))
    problems += _print("config", findings)
    for hub in hubs:
        named = hub.url if hub.name in (hub.url, "") else f"{hub.name} ({hub.url})"
        sys.stdout.flush()
        problems += _print(f"feed {named}", _feed(hub, config, args.cafile))
    problems += _print("versions", list(_versions()))
    print(f"{counted(problems, 'problem')} found." if problems else "No problems found.")
    return 1 if problems else 0


def _print(title: str, findings: list[Finding]) -> int:
    """Print a section; returns the number of problems in it."""
    print("\n".join(written(title, findings)))
    return sum(1 for finding in findings if finding.level == "FIX")


def _environment() -> TerminalEnvironment:
    size = shutil.get_terminal_size((0, 0))
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    return TerminalEnvironment(os.environ, tty, (size.columns, size.lines), _tmux)


def _tmux(*words: str) -> str:
    """The output of a tmux command; empty on failure."""
    program = shutil.which("tmux")
    if program is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - tmux, found on PATH, with words of our own
            [program, *words], capture_output=True, text=True, timeout=TMUX_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if not done.returncode else ""


def _config() -> tuple[Config, list[Finding]]:
    """The config and theme, checked like `voicetop config check`."""
    try:
        checked = check()
    except VoicetopError as error:
        return Config(), [Finding("FIX", "file", str(error))]
    findings = [Finding("FIX", "mistake", str(mistake)) for mistake in checked.mistakes]
    findings += [Finding("note", "keys", note) for note in checked.notes]
    if not findings:
        text = f"{checked.file}" if checked.found else f"{checked.file} not found; using defaults"
        findings = [Finding("ok", "file", text), Finding("ok", "theme", checked.config.theme)]
    return checked.config, findings


def _feed(hub: HubChoice, config: Config, cafile: str | None) -> list[Finding]:
    from voicetop.cli.doctor_feed import feed_findings
    from voicetop.session import Session

    try:
        opened = hub.source(cafile if hub.url.startswith("wss:") else None)
        return feed_findings(opened(), Session(config.engine()))
    except VoicetopError as error:
        return [Finding("FIX", "connection", str(error))]


def _versions() -> Iterator[Finding]:
    """Versions of Python and libraries, for bug reports."""
    libraries = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    text = f"{__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding("ok", "voicetop", text)
    yield Finding("ok", "libraries", libraries)
