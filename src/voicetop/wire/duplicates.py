"""Events that were delivered twice: known by their `event_id`, dropped and counted.

Publishers deliver at least once, so that a lost acknowledgement costs a repeat and not an event.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from msgspec import Struct

GENERATION = 131_072


class Duplicates(Struct):
    """The last `GENERATION` to 2 × `GENERATION` ids, in two generations: membership is two set lookups.

    A generation is full by count and not by time, so that memory is bounded whatever the rate.
    """

    young: set[str]
    old: set[str]

    @classmethod
    def none(cls) -> Duplicates:
        return cls(set(), set())

    @classmethod
    def of(cls, known: tuple[list[str], list[str]]) -> Duplicates:
        """What `known` told."""
        return Duplicates(set(known[0]), set(known[1]))

    def all_new(self, ids: list[str]) -> bool:
        """Whether none of `ids` was seen before nor twice among them; then they are remembered. Empty ids are new.

        All or nothing: where this says False nothing was remembered, and `is_new` takes them one by one.
        """
        fresh = set(ids)
        told = len(ids)
        if "" in fresh:
            fresh.discard("")
            told = len(ids) - ids.count("")
        if len(fresh) != told or not self.young.isdisjoint(fresh) or not self.old.isdisjoint(fresh):
            return False
        if len(self.young) + told > GENERATION:
            return all(self.is_new(name) for name in ids)
        self.young |= fresh
        return True

    def is_new(self, event_id: str) -> bool:
        """Whether this id was not seen before; from now on it was. An empty id is always new."""
        if not event_id:
            return True
        if event_id in self.young or event_id in self.old:
            return False
        if len(self.young) >= GENERATION:
            self.old, self.young = self.young, set()
        self.young.add(event_id)
        return True

    def known(self) -> tuple[list[str], list[str]]:
        """Both generations in an order that doesn't depend on hashing, for a checkpoint."""
        return sorted(self.young), sorted(self.old)

    def forget(self, ids: Iterable[str]) -> None:
        """As if these had never come (what was accepted with them was refused after all)."""
        for name in ids:
            self.young.discard(name)


class Ordered(Duplicates):
    """The same, remembering in which order the ids came."""

    came: list[str]

    @classmethod
    def none(cls) -> Ordered:
        return cls(set(), set(), [])

    def all_new(self, ids: list[str]) -> bool:
        known = len(self.came)
        if not super().all_new(ids):
            return False
        if len(self.came) == known:
            self.came += filter(None, ids)
        return True

    def is_new(self, event_id: str) -> bool:
        new = super().is_new(event_id)
        if new and event_id:
            self.came.append(event_id)
        return new


class StoredIds(Duplicates):
    """Ids that stand in a recording, read when they are needed.

    Whoever kept the state went on from it, and saw that the next `fresh` ids were new: these need no looking up, which
    is all that a short way from a checkpoint takes.
    """

    read: Callable[[], tuple[set[str], set[str]]] | None
    fresh: int
    since: list[list[str]]

    @classmethod
    def later(cls, read: Callable[[], tuple[set[str], set[str]]], fresh: int) -> StoredIds:
        return cls(set(), set(), read, fresh, [])

    def all_new(self, ids: list[str]) -> bool:
        if self.read is not None:
            told = len(ids) - ids.count("")
            if told <= self.fresh:
                self.fresh -= told
                self.since.append(ids)
                return True
            self._look_up()
        return super().all_new(ids)

    def is_new(self, event_id: str) -> bool:
        self._look_up()
        return super().is_new(event_id)

    def known(self) -> tuple[list[str], list[str]]:
        self._look_up()
        return super().known()

    def forget(self, ids: Iterable[str]) -> None:
        self._look_up()
        super().forget(ids)

    def _look_up(self) -> None:
        if self.read is None:
            return
        read, self.read = self.read, None
        self.young, self.old = read()
        for name in itertools.chain.from_iterable(self.since):
            super().is_new(name)
        self.since = []
