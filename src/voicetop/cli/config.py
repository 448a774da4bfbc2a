"""`voicetop config check|show`: checks the config, and shows where each value comes from."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from voicetop import config as configuration
from voicetop.alerts.rules import rule_files
from voicetop.cli.log import say
from voicetop.config import TABLES, Config, LinkTemplates
from voicetop.errors import ConfigError, UsageError, VoicetopError, nearest
from voicetop.formatting import numbers
from voicetop.locations import config_file, rules_dir
from voicetop.notify.settings import KINDS
from voicetop.toml_reader import line_of

WHAT = ("check", "show")


class Checked(NamedTuple):
    """A config file, its settings, and its mistakes. `notes` are harmless but worth knowing."""

    file: Path
    text: str
    config: Config
    mistakes: list[VoicetopError]
    notes: list[str]
    found: bool = True


def configure(parser: argparse.ArgumentParser) -> None:
    """What to do, and with which file."""
    parser.add_argument(
        "what", metavar="check|show", help="check for mistakes, or show the settings in force"
    )
    parser.add_argument("file", metavar="FILE", nargs="?", help=f"the config file (default {config_file()})")


def run(args: argparse.Namespace) -> int:
    """0, or 2 with a line on stderr for each mistake. Raises UsageError, ConfigError."""
    if args.what not in WHAT:
        raise UsageError(f"voicetop config {args.what}: unknown command{nearest(args.what, WHAT)}")
    checked = check(args.file)
    for mistake in checked.mistakes:
        say(mistake)
    if args.what == "show":
        print("\n".join(shown(checked)))
    elif not checked.mistakes:
        print(f"{checked.file}: {_in_words(checked)}")
        for note in checked.notes:
            print(f"note: {note}")
    return 2 if checked.mistakes else 0


def _in_words(checked: Checked) -> str:
    if not checked.found:
        return "not found; using defaults"
    feeds, keys = len(checked.config.feeds), len(checked.config.keys)
    parts = [numbers.counted(feeds, "feed")] if feeds else []
    parts += [f"{numbers.counted(keys, 'action')} with your own keys"] if keys else []
    return "no mistakes" + (f"; {', '.join(parts)}" if parts else "")


def check(file: str | None = None) -> Checked:
    """Read a config and everything it refers to. Raises ConfigError if `file` can't be read."""
    path = Path(file) if file else config_file()
    rules = [*rule_files.read(rule_files.files_in(rules_dir())).mistakes] if not file else []
    if not file and not configuration.is_there(path):
        return Checked(path, "", Config(), [*rules], [], found=False)
    text = configuration.read(path)
    config, mistakes = configuration.examine(text, str(path))
    from voicetop.ui.actions import keymap

    keys, wrong = keymap.examine(config.keys)
    notes = [f"action {name!r} no longer has a key; it is still in the palette" for name in keys.unbound]
    every = sorted([*mistakes, *wrong, *_elsewhere(config, path, text)], key=_line_in)
    return Checked(path, text, config, [*every, *rules], notes)


def _line_in(mistake: VoicetopError) -> int:
    """The line that a mistake names, to sort by."""
    match = re.search(r", line (\d+)", str(mistake))
    return int(match[1]) if match else 0


def _elsewhere(config: Config, file: Path, text: str) -> Iterator[VoicetopError]:
    """Mistakes in the theme, URLs and token files that a config refers to."""
    from voicetop.cli import VERBS
    from voicetop.connection.address import check_url
    from voicetop.ui.style import theme

    def tried(path: tuple[str, ...], key: str, attempt: Any, *words: Any) -> Iterator[VoicetopError]:
        try:
            attempt(*words)
        except VoicetopError as error:
            line = line_of(text, path, key)
            where = f"{file}, line {line}: {'.'.join((*path, key))!r}: " if line else ""
            yield ConfigError(f"{where}{error}")

    yield from tried((), "url", check_url, config.url)
    yield from tried((), "theme", theme.load, config.theme)
    yield from tried((), "token_file", config.token)
    for name, feed in config.feeds.items():
        if feed.url:
            yield from tried(("feeds", name), "url", check_url, feed.url)
        yield from tried(("feeds", name), "token_file", feed.token)
        if name in VERBS:
            line = line_of(text, ("feeds",), name)
            yield ConfigError(
                f"{file}, line {line}: 'feeds.{name}': {name} is a voicetop command; choose another name"
            )


def shown(checked: Checked) -> Iterator[str]:
    """The effective config as TOML, each value with its source."""
    config = checked.config
    yield f"# {checked.file}" + ("" if checked.found else " (not found)")
    for key in Config.__struct_fields__:
        if key not in (*TABLES, "mistakes"):
            yield _line(checked, (), key, getattr(config, key))
    if os.environ.get("VOICETOP_TOKEN"):
        yield "# the token comes from VOICETOP_TOKEN"
    for name, price in config.prices.items():
        yield from _table(checked, ("prices", name), price)
    for name, feed in config.feeds.items():
        yield from _table(checked, ("feeds", name), feed)
    if checked.config.links != LinkTemplates():
        yield "\n[links]"
        for key in LinkTemplates.__struct_fields__:
            if line_of(checked.text, ("links",), key):
                yield _line(checked, ("links",), key, getattr(checked.config.links, key))
    yield from _table(checked, ("links",), config.links)
    yield from _notify(checked)
    yield from _keys(checked)


def _table(checked: Checked, path: tuple[str, ...], values: Struct) -> Iterator[str]:
    """The values that the file sets in a table."""
    yield f"\n[{'.'.join([path[0], *map(_text, path[1:])])}]"
    for key in values.__struct_fields__:
        if line_of(checked.text, path, key):
            yield _line(checked, path, key, getattr(values, key))


def _notify(checked: Checked) -> Iterator[str]:
    """The notification settings; a secret shows only where it is stored."""
    settings = checked.config.notify
    yield "\n[notify]"
    for key in settings.__struct_fields__:
        if key not in KINDS:
            yield _line(checked, ("notify",), key, getattr(settings, key))
    for kind in KINDS:
        for name, target in getattr(settings, kind).items():
            yield from _table(checked, ("notify", kind, name), target)


def _keys(checked: Checked) -> Iterator[str]:
    from voicetop.ui.actions import keymap
    from voicetop.ui.actions.registry import ACTIONS

    keys, _ = keymap.examine(checked.config.keys)
    yield "\n[keys]"
    for action in ACTIONS:
        line = line_of(checked.text, ("keys",), action.id)
        lost = keys.keys(action.id) != action.keys
        source = (
            f"line {line}" if line else "default, minus keys assigned to other actions" if lost else "default"
        )
        yield _aligned(f"{action.id} = {_text(keys.keys(action.id))}", source)


def _line(checked: Checked, path: tuple[str, ...], key: str, value: Any) -> str:
    """One value and its source: the environment overrides the file, the file the default."""
    line = line_of(checked.text, path, key)
    source = f"line {line}" if line else "default"
    from_env = os.environ.get("VOICETOP_URL") if key == "url" and not path else None
    return _aligned(f"{key} = {_text(from_env or value)}", "VOICETOP_URL" if from_env else source)


def _aligned(text: str, source: str) -> str:
    return f"{text:<50}  # {source}"


def _text(value: Any) -> str:
    """A value as TOML, which equals JSON for text, numbers, booleans and lists of them.

    >>> _text(("booked", "goodbye")), _text(True)
    ('["booked", "goodbye"]', 'true')
    """
    return json.dumps(value, ensure_ascii=False)
