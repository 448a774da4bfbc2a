from __future__ import annotations

from pathlib import Path

from voicetop.locations import config_dir, config_file, data_dir, shipped_themes, state_dir, theme_dirs


def test_the_xdg_variables_say_where_files_go() -> None:
    env = {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_DATA_HOME": "/d"}
    assert [config_dir(env), state_dir(env), data_dir(env)] == [Path(f"/{x}/voicetop") for x in "csd"]
    assert config_file(env) == Path("/c/voicetop/config.toml")


def test_without_them_or_with_relative_ones_the_home_directory_does() -> None:
    for env in ({}, {"XDG_CONFIG_HOME": "here", "XDG_STATE_HOME": "", "XDG_DATA_HOME": "./x"}):
        assert config_dir(env) == Path.home() / ".config/voicetop"
        assert state_dir(env) == Path.home() / ".local/state/voicetop"
        assert data_dir(env) == Path.home() / ".local/share/voicetop"


def test_the_shipped_themes_are_found_and_ones_own_come_first() -> None:
    assert list(shipped_themes().glob("*.toml"))
    assert theme_dirs({"XDG_CONFIG_HOME": "/c"}) == (Path("/c/voicetop/themes"), shipped_themes())
