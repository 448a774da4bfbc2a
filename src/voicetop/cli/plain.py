"""Prints up to one line per second instead of a screen, for pipes, logs and screen readers.

14:07:32Z DEGRADED · P95 response 3,910 ms = 2.4× normal (n 312) · LLM +1,900 ms | live 412/600 · p95 3,910 ms n 312 · …
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence

from voicetop.cli.exit_notes import print_exit_notes
from voicetop.engine.snapshot import Figure, Snapshot, WaitingPanel
from voicetop.formatting import labels, numbers, times
from voicetop.formatting.numbers import known
from voicetop.ui.feed import RunningFeed
from voicetop.ui.renderables.health import part_of_outcome_window, part_of_window
from voicetop.ui.renderables.written_figure import write_figure
from voicetop.ui.style.display_options import SIGNS
from voicetop.wire.text import safe_label

EVERY_S = 1.0


def print_lines(feeds: Sequence[tuple[str, RunningFeed]]) -> int:
    """Print until all feeds end or a signal arrives. Returns 1 if a feed failed, 2 if it never started.

    With several feeds, each line starts with its feed's name.
    """
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: done.set())
    widest = max(len(safe_label(name)) for name, _ in feeds)
    lines = [_Lines(feed, f"{safe_label(name):{widest}}  " if len(feeds) > 1 else "") for name, feed in feeds]
    for _, feed in feeds:
        feed.start()
    try:
        while not done.wait(EVERY_S):
            ended = all(feed.ended for _, feed in feeds)  # checked before the last snapshots are printed
            for feed_lines in lines:
                feed_lines.print_news()
            if ended:
                break
    finally:
        for _, feed in feeds:
            feed.close()
    return print_exit_notes(feeds)


class _Lines:
    """Prints the lines of one feed, each only once."""

    def __init__(self, feed: RunningFeed, prefix: str) -> None:
        self._feed = feed
        self._prefix = prefix
        self._last = ""
        self._why = ""

    def print_news(self) -> None:
        """Print the newest snapshot; before the first one, why it is missing."""
        latest, link = self._feed.latest, self._feed.link
        if latest is not None:
            text = line(latest)
            if text != self._last:
                self._last = text
                _print(self._prefix + text)
        elif link.phase == "reconnecting" and link.why != self._why:
            self._why = link.why
            _print(
                f"{self._prefix}no feed yet · {link.where}: {link.why} · retrying; run `voicetop serve` to start a hub"
            )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def line(snap: Snapshot) -> str:
    """A snapshot in one line: the verdict, then the figures that are known, with their n."""
    verdict = snap.verdict
    since = f" since {times.clock(verdict.since, seconds=False)}" if known(verdict.since) else ""
    said = f"{times.clock(snap.at)}Z {SIGNS[verdict.severity].word}{since} · {verdict.text}"
    if verdict.severity == "catching_up":  # its figures are those of the past, which is still being loaded
        return said
    limit = f"/{snap.capacity.limit}" if snap.capacity.limit else ""
    e2e = snap.latency.e2e
    now, late = part_of_window(snap, snap.view.span), part_of_outcome_window(snap)
    parts = [
        f"live {snap.capacity.live}{limit}",
        f"p50 {write_figure(e2e.p50, numbers.milliseconds).value}" if e2e.p50.n else "",
        _figure("p95", e2e.p95, numbers.milliseconds, now, of="turn"),
        _figure("errors", snap.errors.rate, numbers.percent, now),
        f"stuck {snap.waiting.stuck}/{snap.waiting.waiting}",
        *_unknown(snap.waiting),
        _figure("success", snap.outcome.success, numbers.percent, late),
        _figure("abandoned", snap.abandonment.rate, numbers.percent, late),
        _figure("cost", snap.cost.per_call, numbers.dollars, late),
        _freshness(snap),
    ]
    return f"{said} | {' · '.join(part for part in parts if part)}"


def _figure(name: str, figure: Figure, write: Callable[[float], str], part: str, *, of: str = "call") -> str:
    """A figure with its n, and the part of its window that it covers; empty while there is nothing to measure."""
    if not figure.n:
        return ""
    value = f"{name} {write_figure(figure, write).value}"
    value += "" if figure.few else f" n {numbers.counted(figure.n, of)}"
    return f"{value} ({part})" if part else value


def _freshness(snap: Snapshot) -> str:
    """The lag of the last events, or for how long there have been none."""
    feed = snap.feed
    if snap.verdict.severity == "blind":
        return f"silent {times.span(max(feed.silent_s, feed.publishers_silent_s))}"
    return f"lag {times.seconds(feed.lag_s)}"


def _unknown(panel: WaitingPanel) -> list[str]:
    """Waits of silent publishers, if there are any."""
    if not panel.unknown:
        return []
    return [labels.unknown_replies(panel.unknown, f"since {times.clock(panel.unknown_since)}Z")]
