from __future__ import annotations

import os
from pathlib import Path

import pytest

from ui.fake_feed import FakeFeed
from ui.test_app import shown, until
from voicetop.errors import ConfigError
from voicetop.ui.app import ConsoleApp
from voicetop.ui.style.theme_switch import ThemeSwitch


@pytest.fixture
def themes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "voicetop/themes"
    folder.mkdir(parents=True)
    return folder


def save(folder: Path, text: str, name: str = "mine", age: int = 0) -> None:
    """Write a theme; `age` makes its time differ whatever the clock's grain."""
    file = folder / f"{name}.toml"
    file.write_text(text)
    os.utime(file, ns=(10**18 + age, 10**18 + age))


def test_a_theme_that_is_saved_again_is_worn_again(themes: Path) -> None:
    save(themes, '[tones]\naccent = "#ff0000"\n')
    switch = ThemeSwitch("mine")
    assert switch.reload_if_changed() is None
    save(themes, '[tones]\naccent = "#00ff00"\n', age=1)
    assert switch.reload_if_changed() == "theme mine reloaded"
    assert switch.theme.tones["accent"] == "#00ff00"
    assert switch.reload_if_changed() is None


def test_a_broken_file_is_told_once_and_the_old_theme_stays(themes: Path) -> None:
    save(themes, '[tones]\naccent = "#ff0000"\n')
    switch = ThemeSwitch("mine")
    save(themes, '[tones]\n\nacent = "#00ff00"\n', age=1)
    said = switch.reload_if_changed()
    assert said == f"{themes}/mine.toml, line 3: 'tones.acent' is an unknown tone; did you mean 'accent'?"
    assert switch.theme.tones["accent"] == "#ff0000"
    assert switch.reload_if_changed() is None
    (themes / "mine.toml").unlink()
    assert "gone" in (switch.reload_if_changed() or "")
    assert switch.theme.tones["accent"] == "#ff0000"


def test_a_person_s_theme_of_a_shipped_name_takes_its_place_at_once(themes: Path) -> None:
    switch = ThemeSwitch("light")
    save(themes, '[tones]\naccent = "#123456"\n', name="light")
    assert switch.reload_if_changed() == "theme light reloaded"
    assert switch.theme.tones["accent"] == "#123456"


def test_the_next_theme_is_the_next_that_can_be_worn(themes: Path) -> None:
    save(themes, "[tones]\naccent = 1.5.2\n", name="aaa")
    switch = ThemeSwitch("voicetop")
    said = switch.change()
    assert said.startswith("theme colour-blind (")
    assert "aaa.toml" in said
    assert switch.name == "colour-blind"


def test_the_first_theme_has_to_be_right(themes: Path) -> None:
    save(themes, 'colour = "red"\n')
    with pytest.raises(ConfigError, match=r"mine\.toml, line 1: 'colour' is an unknown key"):
        ThemeSwitch("mine")


async def test_the_console_wears_what_is_saved_while_it_runs(themes: Path) -> None:
    save(themes, '[tones]\naccent = "#ff0000"\n')
    app = ConsoleApp(FakeFeed(), theme="mine")
    async with app.run_test(size=(160, 36)) as pilot:
        await until(pilot, lambda: "DEGRADED" in shown(app))
        save(themes, '[tones]\naccent = "#00ff00"\n', age=1)
        await until(pilot, lambda: "theme mine reloaded" in shown(app))
        assert app.sheet.ink.theme.tones["accent"] == "#00ff00"
        save(themes, '[tones]\nacent = "#00ff00"\n', age=2)
        await until(pilot, lambda: "did you mean 'accent'" in app.message)
        assert app.sheet.ink.theme.tones["accent"] == "#00ff00"
