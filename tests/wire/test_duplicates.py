from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicetop.wire import duplicates
from voicetop.wire.duplicates import Duplicates

ids = st.sampled_from(["", *"abcdefghijkl"])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "GENERATION", 4)


def take(seen: Duplicates, batch: list[str]) -> list[bool]:
    """As the codec does: all at once where that is possible."""
    if seen.all_new(batch):
        return [True] * len(batch)
    return [seen.is_new(name) for name in batch]


@pytest.mark.usefixtures("small")
class TestWithGenerationsOfFour:
    @given(st.lists(ids, max_size=60), st.lists(st.integers(0, 7), max_size=60))
    def test_however_ids_are_batched_the_same_are_new(self, stream: list[Any], sizes: list[int]) -> None:
        one_by_one = Duplicates.none()
        expected = [one_by_one.is_new(name) for name in stream]
        batched, got, rest = Duplicates.none(), [], stream
        for size in [*sizes, len(stream)]:
            got += take(batched, rest[:size])
            rest = rest[size:]
        assert got == expected
        assert batched.known() == one_by_one.known()

    @given(st.lists(ids, max_size=100))
    def test_memory_is_two_generations_at_most(self, stream: list[Any]) -> None:
        seen = Duplicates.none()
        for name in stream:
            seen.is_new(name)
            assert len(seen.young) <= 4
            assert len(seen.old) <= 4

    def test_an_id_is_remembered_for_at_least_a_generation(self) -> None:
        seen = Duplicates.none()
        assert [seen.is_new(name) for name in "abcde"] == [True] * 5
        assert not seen.is_new("b")
        assert not seen.is_new("e")


def test_events_without_an_id_are_never_duplicates() -> None:
    seen = Duplicates.none()
    assert seen.all_new(["", "", "a", ""])
    assert seen.is_new("")
    assert seen.known() == (["a"], [])


def test_a_batch_with_a_duplicate_remembers_nothing_until_taken_one_by_one() -> None:
    seen = Duplicates.none()
    assert not seen.all_new(["a", "b", "a"])
    assert seen.known() == ([], [])
    assert [seen.is_new(name) for name in ["a", "b", "a"]] == [True, True, False]


def test_ids_of_rejected_events_may_come_again() -> None:
    seen = Duplicates.none()
    assert seen.all_new(["a", "b"])
    seen.forget(["a"])
    assert seen.is_new("a")
    assert not seen.is_new("b")


def test_the_real_bound_is_a_quarter_of_a_million_ids() -> None:
    seen = Duplicates.none()
    for start in range(0, 600_000, 5_000):
        assert seen.all_new([f"e{i}" for i in range(start, start + 5_000)])
    assert len(seen.young) + len(seen.old) <= 2 * duplicates.GENERATION
