"""Who is on the line, and who was: live calls, and two bounded rings of ended ones, failures kept longest."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from sortedcontainers import SortedList

from voicetop.engine.call_events import noted_turns
from voicetop.engine.calls import Call
from voicetop.engine.config import EngineConfig
from voicetop.engine.windows.ledger import note, packed_turns
from voicetop.wire.events import AnyEvent, Turn


class Roster:
    """Calls by id. A ring is an OrderedDict: taking its oldest call costs the same however many it has."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.live: dict[str, Call] = {}
        self.ended: OrderedDict[str, Call] = OrderedDict()
        self.failed: OrderedDict[str, Call] = OrderedDict()
        self.deciding: SortedList[tuple[float, str]] = SortedList()
        """(when the grace time ends, call id) of hang-ups that may yet turn out well, in this order."""
        self.told = 0
        """Events held in stories, of live and ended calls together."""
        self.full = False
        """Whether the budget for stories is used up."""

    def find(self, call_id: str) -> Call | None:
        """A call, live or ended and still in a ring."""
        return self.live.get(call_id) or self.ended.get(call_id) or self.failed.get(call_id)

    def gone(self) -> Iterator[Call]:
        """The ended calls that are still known."""
        return itertools.chain(self.ended.values(), self.failed.values())

    def retire(self, call: Call) -> None:
        """From live to ended. What a ring holds too many of is forgotten, the oldest first."""
        self.live.pop(call.call_id, None)
        self._file(call)

    def refile(self, call: Call) -> None:
        """An ended call may have turned out a failure, or the other way round."""
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
            _, forgotten = ring.popitem(last=False)
            self.told -= len(forgotten.story)

    def tell(self, call: Call, event: AnyEvent) -> None:
        """Add an event to the story of its call, if there is room for it."""
        if self.full and not call.errors:
            return
        call.story.append(event)
        self.told += 1

    def ration(self) -> None:
        """Keep the stories within their budget: those of ended calls that went well make room first, so that who is on
        the line can be read. While it is used up all the same, only calls with an error get theirs told on; what is
        too much by far is taken from live ones that do well, then from failures.
        """
        budget = self._config.story_budget
        if self.told > budget:
            self._shorten(self.ended.values(), budget * 9 // 10)
        self.full = self.told > (budget * 9 // 10 if self.full else budget)
        if self.told > budget * 5 // 4:
            fine = [call for call in self.live.values() if not call.failing]
            troubled = [call for call in self.live.values() if call.failing]
            self._shorten((*fine, *self.failed.values(), *troubled), budget)

    def _shorten(self, calls: Iterable[Call], goal: int) -> None:
        """Take the stories of these calls, one after the other, until no more than `goal` events are held."""
        cut: list[tuple[Call, list[Turn]]] = []
        for call in calls:
            if self.told <= goal:
                break
            if call.story:
                notes, turns = noted_turns(call)
                cut.append((call, turns))
                note(call.observed, notes)
                self.told -= len(call.story)
                call.story = []
        _remember(cut)


def _remember(cut: list[tuple[Call, list[Turn]]]) -> None:
    """Note where the cut turns were counted, should their call change its cell: all at once, which is 5 times
    cheaper than call by call.
    """
    packed = iter(packed_turns([turn for _, turns in cut for turn in turns]))
    for call, turns in cut:
        for record in itertools.islice(packed, len(turns)):
            note(call.observed, record)
