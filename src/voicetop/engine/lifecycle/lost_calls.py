"""Which of the calls that nothing was heard of for a while are lost: nobody knows what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from voicetop.engine.calls import Call
from voicetop.engine.feed_state import FeedTracker

PARKED_S = 7_200.0
"""How long a caller may be on hold or in transfer without a word from the publisher."""
PARKED = ("held", "transferring")


def lost_calls(quiet: list[Call], live: Iterable[Call], feed: FeedTracker, at: float) -> list[Call]:
    """The lost ones of the `quiet` calls, longest silent first.

    A publisher that is heard says how many calls it has: as many of its calls aren't lost, however quiet they are.
    Hold and transfer don't age a call, whoever counts it.
    """
    quiet = [call for call in quiet if call.state not in PARKED or call.seen < at - PARKED_S]
    if not quiet:
        return []
    spare = _more_than_counted(live, feed, at)
    lost = []
    for call in sorted(quiet, key=lambda call: (call.state in PARKED, call.seen, call.call_id)):
        source = call.source
        if source in spare:
            if spare[source] > 0:
                spare[source] -= 1
                lost.append(call)
        else:
            lost.append(call)
    return lost


def _more_than_counted(live: Iterable[Call], feed: FeedTracker, at: float) -> dict[str, int]:
    """By publisher that is heard: how many live calls there are beyond those that it says it has.

    Calls that name no publisher are of any of them: those that aren't accounted for by calls that do.
    """
    held = Counter(call.source for call in live)
    said = dict(_said(feed, at))
    if not said:
        return {}
    unnamed = said.pop("", 0)
    spare = {source: held[source] - count for source, count in said.items()}
    spare[""] = held[""] - unnamed + sum(min(0, more) for more in spare.values())
    return spare


def _said(feed: FeedTracker, at: float) -> Iterator[tuple[str, int]]:
    silent = feed.silent(at)
    for name, source in feed.sources.items():
        if source.status_at and name not in silent:
            yield name, source.active_calls
