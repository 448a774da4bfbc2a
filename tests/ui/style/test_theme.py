from __future__ import annotations

from pathlib import Path

import pytest

from voicetop.errors import ConfigError
from voicetop.ui.style import theme


def test_five_themes_ship_and_all_of_them_load() -> None:
    assert {"voicetop", "high-contrast", "colour-blind", "light", "mono"} <= set(theme.names())
    for name in theme.names():
        loaded = theme.load(name)
        for tone in loaded.tones:
            assert loaded.style(tone) == loaded.style(tone)
            assert loaded.limited_to("16").style(tone + "+") is not None


def test_without_colours_only_weight_is_left() -> None:
    bare = theme.load("voicetop").limited_to("none")
    for tone in bare.tones:
        assert bare.style(tone).color is None
        assert bare.style(tone).bgcolor is None
    assert bare.style("down").bold
    assert bare.style("text+").reverse


def test_an_unknown_theme_names_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'mono'"):
        theme.load("mno")


def test_a_person_s_theme_says_only_what_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[tones]\naccent = "#ff0000"\n')
    loaded = theme.read(path)
    assert loaded.style("accent").color is not None
    assert loaded.tones["ok"] == theme.load("voicetop").tones["ok"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tones]\nacent = "#ff0000"\n', "did you mean 'accent'"),
        ('[tones]\naccent = "no colour at all"\n', "accent"),
        ('[tones]\nbackground = "bold #000000"\n', "background"),
        ("[tones\n", "line 1"),
    ],
)
def test_a_broken_theme_says_which_file_and_what(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        theme.read(path)
    assert str(path) in str(raised.value)
    assert said in str(raised.value)


def test_no_colour_is_written_outside_the_themes() -> None:
    import re

    import voicetop.ui

    for path in Path(voicetop.ui.__file__).parent.rglob("*.py"):
        code = re.sub(r'""".*?"""|#[^\n]*$', "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
        assert not re.search(r"#[0-9a-fA-F]{6}", code), path


@pytest.mark.parametrize("name", ["voicetop", "high-contrast", "colour-blind", "light"])
def test_words_stand_out_from_their_background(name: str) -> None:
    """WCAG 2.1 contrast: 4.5:1 for what must be read, 7:1 in the high-contrast theme."""
    loaded = theme.load(name)
    ground = _luminance(loaded.tones["background"])
    for tone in ("text", "strong", "muted", "ok", "degraded", "down", "blind", "learning", "accent", "key"):
        ink = _luminance(loaded.tones[tone].split()[-1])
        ratio = (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05)
        assert ratio >= (7 if name == "high-contrast" else 4.5), (tone, ratio)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
