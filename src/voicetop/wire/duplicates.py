"""Drops duplicate events by `event_id`.

Publishers deliver at least once: a lost acknowledgement causes a repeat, never a loss.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from msgspec import Struct

GENERATION = 131_072


class Duplicates(Struct):
    """The last `GENERATION` to 2 × `GENERATION` ids, in two generations: membership is two set lookups.

    A generation is limited by count, not by time, so that memory is bounded at any rate.
    """

    young: set[str]
    old: set[str]

    @classmethod
    def none(cls) -> Duplicates:
        return cls(set(), set())

    @classmethod
    def of(cls, known: tuple[list[str], list[str]]) -> Duplicates:
        """The inverse of `known`."""
        return Duplicates(set(known[0]), set(known[1]))

    def all_new(self, ids: list[str]) -> bool:
        """Whether `ids` are distinct and none was seen before; if so, they are remembered. Empty ids are new.

        All or nothing: if this returns False nothing was remembered, and `is_new` takes them one by one.
        """
        distinct = set(ids)
        count = len(ids)
        if "" in distinct:
            distinct.discard("")
            count = len(ids) - ids.count("")
        if len(distinct) != count or not self.young.isdisjoint(distinct) or not self.old.isdisjoint(distinct):
            return False
        if len(self.young) + count > GENERATION:
            return all(self.is_new(name) for name in ids)
        self.young |= distinct
        return True

    def has(self, event_id: str) -> bool:
        """Whether this id was seen before."""
        return event_id in self.young or event_id in self.old

    def is_new(self, event_id: str) -> bool:
        """Whether this id was not seen before; it is remembered. An empty id is always new."""
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
        """Forget ids, as if they had never been seen (their events were rejected after all)."""
        for name in ids:
            self.young.discard(name)


class OrderedDuplicates(Duplicates):
    """Also remembers the order in which ids came."""

    came: list[str]

    @classmethod
    def none(cls) -> OrderedDuplicates:
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
    """Ids stored in a recording, read lazily.

    The writer of the checkpoint observed that the next `fresh` ids were new, so a short run from the checkpoint needs
    no lookup.
    """

    read: Callable[[], tuple[set[str], set[str]]] | None
    fresh: int
    since: list[list[str]]

    @classmethod
    def later(cls, read: Callable[[], tuple[set[str], set[str]]], fresh: int) -> StoredIds:
        return cls(set(), set(), read, fresh, [])

    def all_new(self, ids: list[str]) -> bool:
        if self.read is not None:
            count = len(ids) - ids.count("")
            if count <= self.fresh:
                self.fresh -= count
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
