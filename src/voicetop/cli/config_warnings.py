"""What is wrong in the config, as warnings: a mistake costs its own value, not the command.

`voicetop config check` refuses every mistake, and each command those where a default would be unsafe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicetop import config as configuration
from voicetop.cli.log import say
from voicetop.errors import ConfigError
from voicetop.locations import rules_dir

if TYPE_CHECKING:
    from voicetop.config import Config

STANDARD_THEME = "voicetop"


def warn(settings: Config, *, rules: bool = True) -> None:
    """Print the mistakes in the config and in the user's rules, for a command without a screen."""
    print_warnings([*map(str, settings.mistakes), *(_rule_mistakes() if rules else [])])


def warnings_of(settings: Config) -> list[str]:
    """The mistakes in everything that a screen uses: config, keys, theme and rules."""
    from voicetop.ui.actions import keymap

    mistakes = [*settings.mistakes, *keymap.examine(settings.keys)[1]]
    return [*map(str, mistakes), *filter(None, [_theme_mistake(settings.theme)]), *_rule_mistakes()]


def print_warnings(warnings: Sequence[str]) -> None:
    """One line each on standard error."""
    for warning in warnings:
        say(f"{warning}; ignored")


def in_one(warnings: Sequence[str]) -> str:
    """All warnings in one line for a screen: the first, and how to see the others."""
    more = f" · {len(warnings) - 1} more" if len(warnings) > 1 else ""
    return f"ignored: {warnings[0]}{more} · voicetop config check"


def usable_theme(settings: Config) -> str:
    """The theme of the config, or the standard theme if that has a mistake."""
    return STANDARD_THEME if _theme_mistake(settings.theme) else settings.theme


def _theme_mistake(name: str) -> str:
    if name == STANDARD_THEME:
        return ""
    from voicetop.ui.style import theme

    try:
        theme.load(name)
    except ConfigError as error:
        return str(error)
    return ""


def _rule_mistakes() -> list[str]:
    return [str(mistake) for mistake in configuration.user_rules().mistakes] if rules_dir().is_dir() else []
