"""Reads hand-written TOML: every mistake names file, line and key, and says what to write instead.

    file = TomlFile(read_text(path, "the config"), str(path))
    grace_s = file.root.value("grace_s", Annotated[float, Meta(ge=0)], 120.0)
    for name, feed in file.root.tables("feeds", "[feeds.production]").items():
        url = feed.value("url", str, "")
    file.mistakes

Reading continues after a mistake, so that all of them are reported at once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import UNSET, Struct

from voicetop.errors import ConfigError, nearest

T = TypeVar("T")

_PLAIN = {
    "str": "text",
    "str | null": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


def read_text(file: Path | str, what: str) -> str:
    """The text of a file, without a byte order mark; `what` names it in the error. Raises ConfigError."""
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: cannot read {what}: it is not UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot read {what}: {error.strerror or error}") from None


class TomlFile:
    """One TOML document. `where` names it in `mistakes`, a list that several files may share."""

    def __init__(self, text: str, where: str, mistakes: list[ConfigError] | None = None) -> None:
        self.text, self.where = text, where
        self.mistakes = [] if mistakes is None else mistakes
        self.root = TomlTable(self, (), self._parsed())

    def _parsed(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text)
        except RecursionError:
            self.mistakes.append(ConfigError(f"{self.where}: not TOML: nested too deeply"))
        except tomllib.TOMLDecodeError as error:
            why, place = str(error), self.where
            if match := re.search(r" \(at line (\d+), column (\d+)\)$", why):
                why, place = f"{why[: match.start()]} (column {match[2]})", f"{place}, line {match[1]}"
            self.mistakes.append(ConfigError(f"{place}: not TOML: {why}"))
        return {}


class TomlTable:
    """One table of a file, `path` from its root. Errors in it are added to the file's mistakes."""

    def __init__(self, file: TomlFile, path: tuple[str, ...], values: dict[str, Any]) -> None:
        self.file, self.path, self.values = file, path, values

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def value(self, key: str, kind: Any, default: T, expected: str = "") -> T:
        """The value of a key, converted to the type `kind`; `default` if it is missing or invalid.

        `expected` completes the error "'key' has to be …" if the type alone is not specific enough.
        """
        if key not in self.values:
            return default
        try:
            value: T = msgspec.convert(self.values[key], kind)
        except msgspec.ValidationError as error:
            self.wrong(key, f"has to be {expected}" if expected else _plainly(str(error), kind))
            return default
        return value

    def fields(
        self, kind: type[Struct], but: Iterable[str] = (), computed: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The values given for a Struct's fields; the keys in `but` are valid too, but read elsewhere.

        Fields in `computed` are no keys.
        """
        hints = get_type_hints(kind, include_extras=True)
        hints = {key: hints[key] for key in kind.__struct_fields__ if key not in (*but, *computed)}
        self.only([*hints, *but])
        read = {key: self.value(key, hint, UNSET) for key, hint in hints.items()}
        return {key: value for key, value in read.items() if value is not UNSET}

    def only(self, known: Iterable[str], what: str = "key") -> None:
        """Report every key that isn't in `known`."""
        names = list(known)
        for key in self.values:
            if key not in names:
                self.wrong(key, f"is an unknown {what}{nearest(key, names)}")

    def table(self, key: str, like: str) -> TomlTable:
        """A subtable, empty if missing. `like` shows how to write it."""
        values = self.values.get(key, {})
        if not isinstance(values, dict):
            self.wrong(key, f"has to be a table, like {like}")
            values = {}
        return TomlTable(self.file, (*self.path, key), values)

    def tables(self, key: str, like: str) -> dict[str, TomlTable]:
        """The subtables of a table by name; other values are reported and left out."""
        entries = self.values.get(key, {})
        if not isinstance(entries, dict):
            self.wrong(key, f"has to be tables, like {like}")
            return {}
        parent = TomlTable(self.file, (*self.path, key), entries)
        for name in [name for name, entry in entries.items() if not isinstance(entry, dict)]:
            parent.wrong(name, f"has to be a table, like [{'.'.join(parent.path)}.{_written(name)}]")
        return {name: parent.table(name, "") for name, entry in entries.items() if isinstance(entry, dict)}

    def wrong(self, key: str, why: str) -> None:
        """Report a mistake about a key, or about this table if `key` is empty."""
        path = (*self.path, key) if key else self.path
        self.file.mistakes.append(ConfigError(f"{self.place(key)}: {'.'.join(path)!r} {why}", path))

    def place(self, key: str = "") -> str:
        """File and line of a key, or of this table if the key is missing; the file alone if the line is unknown."""
        text, path = self.file.text, self.path
        line = line_of(text, path, key) if key else 0
        if not line and path:
            line = line_of(text, path[:-1], path[-1])
        return f"{self.file.where}, line {line}" if line else self.file.where


def line_of(text: str, path: tuple[str, ...], key: str) -> int:
    """The line that first sets `key`, or something in it, in the table `path`, from 1; 0 if unknown."""
    here: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        set_here: tuple[str, ...] = ()
        if stripped.startswith("["):
            here = set_here = _path_of(stripped)
        elif "=" in stripped and (name := _path_of(f"[{stripped.partition('=')[0]}]")):
            set_here = (*here, *name)
        if set_here[: len(path) + 1] == (*path, key):
            return number
    return 0


def _path_of(header: str) -> tuple[str, ...]:
    try:
        table: Any = tomllib.loads(header)
    except (tomllib.TOMLDecodeError, RecursionError):
        return ()
    path: list[str] = []
    while isinstance(table, dict) and table:
        ((name, table),) = table.items()
        path.append(name)
    return tuple(path)


def _written(name: str) -> str:
    """A name as TOML writes it in a dotted key."""
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else f'"{name}"'


def _plainly(why: str, kind: Any) -> str:
    """Translate an error message of msgspec.

    >>> _plainly("Expected `int`, got `str`", int)
    'has to be a whole number, not text'
    """
    if match := re.match(r"Invalid enum value '(.*?)'(?: - at `|$)", why):
        choices = [
            word for part in (kind, *get_args(kind)) for word in get_args(part) if isinstance(word, str)
        ]
        return f"has to be one of {', '.join(choices)}, not {match[1]!r}{nearest(match[1], choices, '')}"
    text = why.partition(" - at `")[0].removeprefix("Expected ").replace(", got ", ", not ")
    for word, plain in _PLAIN.items():
        text = text.replace(f"`{word}`", plain)
    return f"has to be {text}"
