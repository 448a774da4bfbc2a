"""A line a second instead of a screen: for pipes, logs and screen readers.

14:07:32Z DEGRADED · P95 response 3,910 ms = 2.4× normal (n 312) · LLM +1,900 ms | live 412/600 · p95 3,910 ms n 312 · …
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence

from voicetop.cli.exit_notes import last_words
from voicetop.engine.snapshot import Figure, Snapshot
from voicetop.formatting import numbers, times
from voicetop.formatting.numbers import known
from voicetop.ui.feed import RunningFeed
from voicetop.wire.text import safe_label

EVERY_S = 1.0


def print_lines(feeds: Sequence[tuple[str, RunningFeed]]) -> int:
    """Print until the feeds end, or a signal comes. 1 where one ended with an error, 2 where it never began.

    Of several feeds, each line begins with its feed's name.
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
            ended = all(feed.ended for _, feed in feeds)  # before the last pictures are looked at
            for told in lines:
                told.tell()
            if ended:
                break
    finally:
        for _, feed in feeds:
            feed.close()
    return last_words(feeds)


class _Lines:
    """What was said already, so that only news is."""

    def __init__(self, feed: RunningFeed, whose: str) -> None:
        self._feed = feed
        self._whose = whose
        self._said = ""
        self._why = ""

    def tell(self) -> None:
        """The newest picture; before the first one, what is in its way."""
        latest, link = self._feed.latest, self._feed.link
        if latest is not None:
            said = line(latest)
            if said != self._said:
                self._said = said
                _say(self._whose + said)
        elif link.phase == "reconnecting" and link.why != self._why:
            self._why = link.why
            _say(
                f"{self._whose}no feed yet · {link.where}: {link.why} · retrying; run `voicetop serve` to start a hub"
            )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def line(snap: Snapshot) -> str:
    """One picture in one line: the verdict, then the figures that it rests on, each with its n."""
    verdict, e2e = snap.verdict, snap.latency.e2e
    since = f" since {times.clock(verdict.since, seconds=False)}" if known(verdict.since) else ""
    limit = f"/{snap.capacity.limit}" if snap.capacity.limit else ""
    parts = [
        f"live {snap.capacity.live}{limit}",
        f"p50 {numbers.milliseconds(e2e.p50.value)}",
        f"p95 {_judged(e2e.p95, numbers.milliseconds)}",
        f"errors {_judged(snap.errors.rate, numbers.percent)}",
        f"stuck {snap.waiting.stuck}/{snap.waiting.waiting}",
        f"success {_judged(snap.outcome.success, numbers.percent)}",
        f"abandoned {_judged(snap.abandonment.rate, numbers.percent)}",
        f"cost {_judged(snap.cost.per_call, numbers.dollars)}",
        f"lag {times.seconds(snap.feed.lag_s)}",
    ]
    return f"{times.clock(snap.at)}Z {verdict.severity.upper()}{since} · {verdict.text} | {' · '.join(parts)}"


def _judged(figure: Figure, write: Callable[[float], str]) -> str:
    """A figure, and what it rests on."""
    return f"{'≥ ' if figure.at_least else ''}{write(figure.value)} n {figure.n:,}"
