from __future__ import annotations

import random

import pyte
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from voicetop.ui.terminal.painter import Painter

STYLES = [
    Style.parse(words) for words in ("#ff0000 on #000000", "bold #00ff00 on #000000", "#ffffff on #202020")
]
WIDTH, HEIGHT = 40, 8


def frame(rnd: random.Random, alphabet: str) -> list[Strip]:
    made = []
    for _ in range(HEIGHT):
        segments, left = [], WIDTH
        while left > 1:
            text = "".join(rnd.choice(alphabet) for _ in range(rnd.randint(1, 6)))
            segments.append(Segment(text, rnd.choice(STYLES)))
            left -= segments[-1].cell_length
        made.append(Strip(segments).adjust_cell_length(WIDTH, STYLES[0]))
    return made


def whole(strips: list[Strip]) -> LayoutUpdate:
    return LayoutUpdate([[strip] for strip in strips], Region(0, 0, WIDTH, HEIGHT))


def sent(painter: Painter, update: LayoutUpdate | ChopsUpdate) -> str:
    made = painter.update(update)
    return made.data if made else ""


def test_whatever_changes_the_terminal_ends_up_as_if_painted_whole() -> None:
    rnd = random.Random(5)
    diffed, plain = pyte.Screen(WIDTH, HEIGHT), pyte.Screen(WIDTH, HEIGHT)
    painter = Painter(ColorSystem.TRUECOLOR)
    stream = pyte.Stream(diffed)
    strips = frame(rnd, "ab ")
    for turn in range(60):
        fresh = frame(rnd, "ab " if turn % 3 else "a漢 b")
        strips = [new if rnd.random() < 0.4 else old for old, new in zip(strips, fresh, strict=True)]
        stream.feed(sent(painter, whole(strips)))
        plain.reset()
        pyte.Stream(plain).feed(sent(Painter(ColorSystem.TRUECOLOR), whole(strips)))
        assert diffed.display == plain.display
        assert all(
            (diffed.buffer[y][x].fg, diffed.buffer[y][x].bg, diffed.buffer[y][x].bold)
            == (plain.buffer[y][x].fg, plain.buffer[y][x].bg, plain.buffer[y][x].bold)
            for y in range(HEIGHT)
            for x in range(WIDTH)
        )


def test_an_unchanged_frame_sends_nothing() -> None:
    painter = Painter(ColorSystem.TRUECOLOR)
    strips = frame(random.Random(1), "abc ")
    assert sent(painter, whole(strips))
    assert sent(painter, whole(strips)) == ""
    assert not painter.blank
    painter.forget()
    assert painter.blank
    assert sent(painter, whole(strips))


def test_one_changed_cell_costs_a_move_its_colours_and_the_cell() -> None:
    painter = Painter(ColorSystem.TRUECOLOR)
    sent(painter, whole([Strip([Segment("a" * WIDTH, STYLES[0])])] * HEIGHT))
    strip = Strip([Segment("a" * 10 + "b" + "a" * (WIDTH - 11), STYLES[0])])
    chops = ChopsUpdate([{0: strip}], [(0, 0, WIDTH)], [[WIDTH]])
    assert sent(painter, chops) == "\x1b[1;11H\x1b[0;38;2;255;0;0;48;2;0;0;0mb\x1b[m"


def test_a_wide_character_is_never_cut_in_two() -> None:
    painter = Painter(None)
    sent(painter, whole([Strip([Segment("漢字" + "a" * 36)])] * HEIGHT))
    data = sent(painter, whole([Strip([Segment("漢x字" + "a" * 35)])] * HEIGHT))
    screen = pyte.Screen(WIDTH, HEIGHT)
    pyte.Stream(screen).feed(
        sent(Painter(None), whole([Strip([Segment("漢字" + "a" * 36)])] * HEIGHT)) + data
    )
    assert screen.display[0].startswith("漢x字a")


def test_colours_come_down_to_what_the_terminal_has() -> None:
    one = [Strip([Segment("x" * WIDTH, STYLES[0])])] * HEIGHT
    assert "38;2;255;0;0" in sent(Painter(ColorSystem.TRUECOLOR), whole(one))
    assert "38;5;" in sent(Painter(ColorSystem.EIGHT_BIT), whole(one))
    assert "\x1b[0;31;40m" in sent(Painter(ColorSystem.STANDARD), whole(one))
    assert "38" not in sent(Painter(None), whole(one))
