"""Events that were delivered twice: known by their `event_id`, dropped and counted.

Publishers deliver at least once, so that a lost acknowledgement costs a repeat and not an event.
"""

from __future__ import annotations

from collections.abc import Iterable

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
