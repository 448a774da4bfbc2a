"""Who is on the line, and who was: live calls, and two bounded rings of ended ones, failures kept longest."""

from __future__ import annotations

from sortedcontainers import SortedList

from voicetop.engine.calls import Call
from voicetop.engine.config import EngineConfig
from voicetop.wire.events import AnyEvent, Turn


class Roster:
    """Calls by id. A dictionary keeps the order in which calls came, so that a ring is one."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.live: dict[str, Call] = {}
        self.ended: dict[str, Call] = {}
        self.failed: dict[str, Call] = {}
        self.deciding: SortedList[tuple[float, str]] = SortedList()
        """(when the grace time ends, call id) of hang-ups that may yet turn out well, in this order."""
        self.told = 0
        """Events held in stories, of live and ended calls together."""

    def find(self, call_id: str) -> Call | None:
        """A call, live or ended and still in a ring."""
        return self.live.get(call_id) or self.ended.get(call_id) or self.failed.get(call_id)

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
            forgotten = ring.pop(next(iter(ring)))
            self.told -= len(forgotten.story)

    def tell(self, call: Call, event: AnyEvent) -> None:
        """Add an event to the story of its call."""
        call.story.append(event)
        self.told += 1

    def shorten(self) -> None:
        """Keep the stories within their budget: ended calls that went well give theirs up first, then the oldest
        live calls that do well; failing calls keep theirs longest.
        """
        if self.told <= self._config.story_budget:
            return
        goal = self._config.story_budget * 4 // 5
        fine = [call for call in self.live.values() if not call.failing]
        troubled = [call for call in self.live.values() if call.failing]
        for call in (*self.ended.values(), *fine, *self.failed.values(), *troubled):
            if self.told <= goal:
                return
            self._cut(call)

    def _cut(self, call: Call) -> None:
        """What is left of a story is its end: the last turn says what a call is like now."""
        kept = [event for event in call.story[-3:] if type(event) is Turn][-1:] if call.live else []
        self.told -= len(call.story) - len(kept)
        call.story = kept
