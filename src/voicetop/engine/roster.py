"""Live calls, and two bounded rings of ended ones, so that failures are kept longest."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from sortedcontainers import SortedList

from voicetop.engine.call_events import turn_records
from voicetop.engine.calls import Call
from voicetop.engine.config import EngineConfig
from voicetop.engine.windows.ledger import note, packed_turns
from voicetop.wire.events import AnyEvent, CallEnd, Turn

MAX_EARLY_ENDS = 1_000


class Roster:
    """Calls by id. A ring is an OrderedDict: removing the oldest call is O(1)."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.live: dict[str, Call] = {}
        self.ended: OrderedDict[str, Call] = OrderedDict()
        self.failed: OrderedDict[str, Call] = OrderedDict()
        self.deciding: SortedList[tuple[float, str]] = SortedList()
        """(when the grace time ends, call id) of undecided hang-ups, sorted."""
        self.early_ends: OrderedDict[str, tuple[float, CallEnd]] = OrderedDict()
        """Ends of calls that nothing else was heard of yet: they are over when the rest of them comes, late."""
        self.stored_events = 0
        """Events stored with live and ended calls."""
        self.full = False
        """Whether the event budget is exhausted."""

    def find(self, call_id: str) -> Call | None:
        """A call, live or ended and still in a ring."""
        return self.live.get(call_id) or self.ended.get(call_id) or self.failed.get(call_id)

    def ended_calls(self) -> Iterator[Call]:
        """The ended calls still in a ring."""
        return itertools.chain(self.ended.values(), self.failed.values())

    def note_early_end(self, event: CallEnd, ts: float) -> None:
        """The end of a call came before anything else of it."""
        self.early_ends[event.call_id] = (ts, event)
        while len(self.early_ends) > MAX_EARLY_ENDS:
            self.early_ends.popitem(last=False)

    def retire(self, call: Call) -> None:
        """Move a call from live to ended, evicting the oldest of a full ring."""
        self.live.pop(call.call_id, None)
        self._file(call)

    def revive(self, call: Call) -> None:
        """A call that had been lost is live again."""
        self.ended.pop(call.call_id, None)
        self.failed.pop(call.call_id, None)
        self.live[call.call_id] = call

    def forget(self, call: Call) -> None:
        """Make room for another call with the id of this ended one."""
        self.ended.pop(call.call_id, None)
        self.failed.pop(call.call_id, None)
        self.stored_events -= len(call.story)

    def refile(self, call: Call) -> None:
        """Move an ended call to the other ring if it became a failure, or no longer is one."""
        ring = self.failed if call.failing else self.ended
        if call.call_id not in ring:
            self.ended.pop(call.call_id, None)
            self.failed.pop(call.call_id, None)
            self._file(call)

    def _file(self, call: Call) -> None:
        ring, most = (
            (self.failed, self._config.failed_kept) if call.failing else (self.ended, self._config.ended_kept)
        )
        ring[call.call_id] = call
        while len(ring) > most:
            _, evicted = ring.popitem(last=False)
            self.stored_events -= len(evicted.story)

    def record(self, call: Call, event: AnyEvent) -> None:
        """Store an event with its call, if the budget allows."""
        if self.full and not call.errors:
            return
        call.story.append(event)
        self.stored_events += 1

    def enforce_budget(self) -> None:
        """Keep stored events within budget: drop those of ended calls without failure first, so that live calls stay
        readable. While the budget is exhausted anyway, only calls with an error keep recording; a large excess is taken
        from healthy live calls, then from failures.
        """
        budget = self._config.story_budget
        if self.stored_events > budget:
            self._drop_events(self.ended.values(), budget * 9 // 10)
        self.full = self.stored_events > (budget * 9 // 10 if self.full else budget)
        if self.stored_events > budget * 5 // 4:
            fine = [call for call in self.live.values() if not call.failing]
            troubled = [call for call in self.live.values() if call.failing]
            self._drop_events((*fine, *self.failed.values(), *troubled), budget)

    def _drop_events(self, calls: Iterable[Call], goal: int) -> None:
        """Drop the events of these calls, in order, until at most `goal` events are stored."""
        cut: list[tuple[Call, list[Turn]]] = []
        for call in calls:
            if self.stored_events <= goal:
                break
            if call.story:
                notes, turns = turn_records(call)
                cut.append((call, turns))
                note(call.observed, notes)
                self.stored_events -= len(call.story)
                call.story, call.amendments = [], []
        _note_turns(cut)


def _note_turns(cut: list[tuple[Call, list[Turn]]]) -> None:
    """Note where the dropped turns were counted, in case their call changes its cell; 5 times cheaper in one batch."""
    packed = iter(packed_turns([turn for _, turns in cut for turn in turns]))
    for call, turns in cut:
        for record in itertools.islice(packed, len(turns)):
            note(call.observed, record)
