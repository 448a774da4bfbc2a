"""Where voicetop's files live: the XDG base directories, and the themes that come with it.

A variable that is not an absolute path is ignored, as the XDG specification wants it. Nothing is created here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

APP = "voicetop"


def config_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Where people write: config.toml, themes/."""
    return _base("XDG_CONFIG_HOME", ".config", env)


def state_dir(env: Mapping[str, str] = os.environ) -> Path:
    """What voicetop remembers between runs and could lose."""
    return _base("XDG_STATE_HOME", ".local/state", env)


def data_dir(env: Mapping[str, str] = os.environ) -> Path:
    """What voicetop keeps for people: recordings/."""
    return _base("XDG_DATA_HOME", ".local/share", env)


def pictures_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Where pictures of screens are written."""
    return data_dir(env) / "pictures"


def config_file(env: Mapping[str, str] = os.environ) -> Path:
    """The config that is read where no other is named."""
    return config_dir(env) / "config.toml"


def rules_dir(env: Mapping[str, str] = os.environ) -> Path:
    """A person's own rules of alerts, with their runbooks beside them."""
    return config_dir(env) / "rules"


def history_file(env: Mapping[str, str] = os.environ) -> Path:
    """The history store that is used where no other is named."""
    return data_dir(env) / "history.db"


def shipped_themes() -> Path:
    """The themes of the wheel, or of the checkout where voicetop is installed editable."""
    package = Path(__file__).parent
    inside = package / "themes"
    return inside if inside.is_dir() else package.parents[1] / "themes"


def theme_dirs(env: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Where themes are looked for: a person's own come before those of the same name that are shipped."""
    return (config_dir(env) / "themes", shipped_themes())


def _base(variable: str, default: str, env: Mapping[str, str]) -> Path:
    told = Path(env.get(variable, ""))
    return (told if told.is_absolute() else Path.home() / default) / APP
