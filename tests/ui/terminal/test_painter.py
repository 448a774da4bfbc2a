from __future__ import annotations

import random
from collections.abc import Callable

import pyte
import pytest
from rich.cells import split_graphemes
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from ui.terminal import other_widths
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


HARD = [
    "हि",
    "न्",
    "दी",
    "कॉ",
    "ไ",
    "ที่",
    "கொ",
    "ழ்",
    "❤️",
    "1️⃣",
    "👩‍👩‍👧",
    "🇩",
    "🇪",
    "👍🏽",
    "e\u0301",
    "ب",
    "한",
]
EASY = [*"0:59abc│─▲·é", "漢", " ", " "]


FIGURES = "059│─▲·"


def sure_cells(strip: Strip) -> dict[int, str]:
    """What has to be in which cell: every figure with the blank before it, and all of a row without hard clusters."""
    clusters = [(strip.text[start:end], width) for start, end, width in split_graphemes(strip.text)[0]]
    shown, x, before = {}, 0, ""
    easy = all(cluster in EASY for cluster, _ in clusters)
    for cluster, width in clusters:
        if easy or cluster in FIGURES:
            shown[x] = cluster
            if before == " ":
                shown[x - 1] = " "
        x, before = x + width, cluster
    return shown


def hard_frame(rnd: random.Random) -> list[Strip]:
    made = []
    for _ in range(HEIGHT):
        alphabet = [*EASY, *HARD] if rnd.random() < 0.6 else EASY
        strip = Strip([])
        while strip.cell_length < WIDTH - 1:
            text = "".join(rnd.choice(alphabet) for _ in range(rnd.randint(1, 6)))
            strip = Strip([*strip, Segment(text, rnd.choice(STYLES))])
        made.append(Strip([*strip]).adjust_cell_length(WIDTH, STYLES[0]))
    return made


def one_letter_changed(strip: Strip, rnd: random.Random) -> Strip:
    old, new = rnd.sample("abc059", 2)
    return Strip([Segment(text.replace(old, new, 1), style) for text, style, _ in strip])


@pytest.mark.parametrize("width_of", other_widths.TERMINALS.values(), ids=other_widths.TERMINALS)
def test_whatever_a_terminal_makes_of_a_cluster_all_else_is_in_its_place(
    width_of: Callable[[str], int],
) -> None:
    rnd = random.Random(8)
    painter = Painter(ColorSystem.TRUECOLOR)
    grid = other_widths.Grid(WIDTH, HEIGHT, width_of)
    strips = hard_frame(rnd)
    for _ in range(60):
        other = hard_frame(rnd)
        strips = [
            new if rnd.random() < 0.3 else one_letter_changed(old, rnd) if rnd.random() < 0.3 else old
            for old, new in zip(strips, other, strict=True)
        ]
        grid.feed(sent(painter, whole(strips)))
        for strip, row in zip(strips, grid.cells, strict=True):
            expected = sure_cells(strip)
            assert {x: row[x] for x in expected} == expected, strip.text
            left = {cluster for x, cluster in enumerate(row) if x not in expected}
            assert all(char in strip.text or char in " \u200e" for cluster in left for char in cluster)


def test_a_figure_apart_from_a_cluster_is_sent_alone_and_a_changed_cluster_with_its_row() -> None:
    painter = Painter(None)
    sent(painter, whole([Strip([Segment("हिन्दी 0:28" + " " * 32)])] * HEIGHT))
    assert sent(painter, whole([Strip([Segment("हिन्दी 0:29" + " " * 32)])] * HEIGHT)).count("9") == HEIGHT
    data = sent(painter, whole([Strip([Segment("हिन्दि 0:29" + " " * 32)])] * HEIGHT))
    assert data.startswith("\x1b[1;1H\x1b[0m   \x1b[1;1Hहिन्दि\x1b[1;4H 0:29" + " " * 32 + "\x1b[2;1H")


def test_a_name_takes_the_blanks_after_it_where_a_terminal_draws_it_wider() -> None:
    grid = other_widths.Grid(40, 1, other_widths.TERMINALS["two cells a cluster"])
    strip = Strip([Segment("कॉल-हिन्दी", STYLES[0]), Segment("      0:28  बिलिंग 3", STYLES[1])])
    grid.feed(sent(Painter(None), LayoutUpdate([[strip]], Region(0, 0, strip.cell_length, 1))))
    assert "".join(grid.cells[0]).rstrip() == "कॉल-हिन्दी  0:28  बि  3"


def test_the_rest_of_a_name_that_was_cut_follows_what_a_terminal_draws_wider() -> None:
    grid = other_widths.Grid(
        40, 1, lambda cluster: 4 if len(cluster) > 1 else other_widths.code_points(cluster)
    )
    strip = Strip([Segment("👨🏽🚀-astr…      0:28", STYLES[0])])
    grid.feed(sent(Painter(None), LayoutUpdate([[strip]], Region(0, 0, strip.cell_length, 1))))
    assert "".join(grid.cells[0]).rstrip() == "👨🏽🚀-astr…    0:28"


def test_a_sentence_stays_whole_up_to_the_next_figure() -> None:
    grid = other_widths.Grid(40, 1, other_widths.TERMINALS["a cell for each mark"])
    strip = Strip([Segment("नमस्ते, कितना है?        12 रुपये", STYLES[0])])
    grid.feed(sent(Painter(None), LayoutUpdate([[strip]], Region(0, 0, strip.cell_length, 1))))
    assert "".join(grid.cells[0]).startswith("नमस्ते, कितना है?  ")
    assert "".join(grid.cells[0][20:22]) == "12"


def test_a_row_that_all_terminals_draw_alike_has_no_moves_in_it() -> None:
    for text in (
        "LIVE CALLS 412 █████░░░│ 600 tested · ▲ 2.4× ≥ 3.9 s ± 0.1 –…",
        "café Привет Ωμέγα",
        "漢字 かな 한글",
    ):
        strip = Strip([Segment(text)])
        update = LayoutUpdate([[strip]], Region(0, 0, strip.cell_length, 1))
        assert sent(Painter(None), update).count("\x1b[1;") == 1, text


def test_right_to_left_text_is_ended_so_that_no_terminal_moves_the_figures_after_it() -> None:
    strip = Strip([Segment("فوترة 0:28")])
    assert "فوترة\u200e" in sent(Painter(None), LayoutUpdate([[strip]], Region(0, 0, 10, 1)))
