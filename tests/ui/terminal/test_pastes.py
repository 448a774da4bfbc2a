from __future__ import annotations

import random

import pytest

from voicetop.ui.terminal.pastes import END, HOLD_S, LOST_S, MAX_PASTE, START, Pastes


def typed(*reads: str, gap: float = 0.01) -> str:
    """What is passed on of these reads, with time to spare after the last."""
    pastes, now, passed = Pastes(), 100.0, ""
    for read in reads:
        passed += pastes.feed(read, now)
        now += gap
    for _ in range(3):
        now += HOLD_S
        passed += pastes.feed("", now)
    return passed


@pytest.mark.parametrize("keys", ["q", "\x1b", "\x1b[A", "\x1b[200", "é漢", "\x1b[<35;1;1M", ""])
def test_keys_pass_at_once(keys: str) -> None:
    assert Pastes().feed(keys, 1.0) == keys


@pytest.mark.parametrize(
    ("pasted", "kept"),
    [
        ("billing", "billing"),
        ("a\nb", "a\nb"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1bq", "q"),
        ("\x1b\x1b\x1b", ""),
        (f"a{END}q", "aq"),
        (f"a{START}b{END}\x1b[Dq", "a[200~b[Dq"),
        (f"{END}q{START}x", "q[200~x"),
        ("", ""),
    ],
)
def test_a_paste_is_whole_and_has_no_escape_in_it_however_it_is_split_over_reads(
    pasted: str, kept: str
) -> None:
    data = START + pasted + END
    assert typed(data) == START + kept + END
    assert typed(*data) == START + kept + END
    rnd = random.Random(3)
    for _ in range(50):
        cuts = sorted(rnd.sample(range(len(data) + 1), 3))
        reads = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert typed("g", *reads, gap=rnd.choice([0.0, 0.02])) == "g" + START + kept + END


def test_keys_right_after_a_paste_come_after_it() -> None:
    assert typed(f"{START}14:05{END}\r") == f"{START}14:05{END}\r"
    assert typed(f"{START}14:05{END}", "\r", "q") == f"{START}14:05{END}\rq"


def test_two_pastes_after_one_another_are_two() -> None:
    assert typed(f"{START}a{END}", f"{START}b{END}", gap=2 * HOLD_S) == f"{START}a{END}{START}b{END}"


def test_a_paste_that_never_ends_does_not_take_the_keys_for_ever() -> None:
    pastes = Pastes()
    assert pastes.feed(f"{START}half", 1.0) == START
    assert pastes.feed("qqq", 2.0) == ""
    assert pastes.feed("", 2.0 + LOST_S) == f"halfqqq{END}"
    assert pastes.feed("q", 3.0 + LOST_S) == "q"


def test_a_huge_paste_is_cut() -> None:
    reads = ["x" * 4096] * 100
    assert len(typed(START, *reads, END, gap=0.0)) == MAX_PASTE + len(START + END)
