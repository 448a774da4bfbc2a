"""One TOML file for what a team tells voicetop about itself; every error in it names file, line, key and what to do.

    url = "wss://hub.example.com"           # where `voicetop` looks without a URL
    token_file = "~/.config/voicetop/token"
    theme = "voicetop"
    utc = true
    capacity = 600                          # tested limit, in calls at once
    terminal_steps = ["goodbye", "booked"]  # who hangs up here has finished
    grace_s = 120
    lost_after_s = 180

    [prices."openai/gpt-4o"]                # or the model alone, or a component: llm, stt, tts
    dated = 2026-11-01
    input_per_million = 2.5
    output_per_million = 10.0

What the command line says goes before what stands here.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta, Struct

from voicetop.engine.config import EngineConfig, Price
from voicetop.errors import ConfigError
from voicetop.locations import config_file
from voicetop.sources.address import DEFAULT_URL

_DEFAULT = EngineConfig()


class Config(Struct, frozen=True):
    """What the file says, or the defaults. Times in seconds; `capacity` 0 is not told."""

    url: str = DEFAULT_URL
    token_file: str = ""
    theme: str = "voicetop"
    utc: bool = False
    capacity: Annotated[int, Meta(ge=0)] = _DEFAULT.capacity
    prices: dict[str, Price] = {}
    terminal_steps: tuple[str, ...] = _DEFAULT.terminal_steps
    grace_s: Annotated[float, Meta(ge=0, le=86_400)] = _DEFAULT.grace_s
    lost_after_s: Annotated[float, Meta(gt=0, le=86_400)] = _DEFAULT.lost_after_s

    def token(self) -> str:
        """What `token_file` holds; empty where none is named. Raises ConfigError."""
        if not self.token_file:
            return ""
        try:
            return Path(self.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.token_file}: cannot read the token: {_why(error)}") from None

    def engine(self) -> EngineConfig:
        """The part that the engine is told."""
        return EngineConfig(
            capacity=self.capacity,
            prices=self.prices,
            terminal_steps=self.terminal_steps,
            grace_s=self.grace_s,
            lost_after_s=self.lost_after_s,
        )


def load(path: Path | str | None = None) -> Config:
    """The config at `path`, or at its usual place, where none is needed. Raises ConfigError."""
    file = Path(path) if path is not None else config_file()
    if path is None and not file.is_file():
        return Config()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot read the config: {_why(error)}") from None
    return parse(text, str(file))


def parse(text: str, where: str) -> Config:
    """The config that `text` says; `where` names it in errors. Raises ConfigError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not TOML: {error}") from None
    return _Reader(text, where).config(table)


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8"


class _Reader:
    """Converts table by table, so that an error can say in which line its key stands."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where

    def config(self, table: dict[str, Any]) -> Config:
        prices = table.pop("prices", {})
        if not isinstance(prices, dict):
            raise self._error((), "prices", 'has to be tables, like [prices."openai/gpt-4o"]')
        told = self._fields(Config, (), table)
        told["prices"] = {name: self._price(name, price) for name, price in prices.items()}
        if told.get("token_file"):
            told["token_file"] = str(Path(told["token_file"]).expanduser())
        return Config(**told)

    def _price(self, name: str, table: Any) -> Price:
        if not isinstance(table, dict):
            raise self._error(("prices",), name, f'has to be a table, like [prices."{name}"]')
        dated = table.get("dated")
        if isinstance(dated, date):
            table["dated"] = dated.isoformat()
        told = self._fields(Price, ("prices", name), table)
        for key, value in told.items():
            if isinstance(value, float) and not 0 <= value < math.inf:
                raise self._error(("prices", name), key, "has to be dollars, 0 or more")
        return Price(**told)

    def _fields(self, kind: type[Struct], path: tuple[str, ...], table: dict[str, Any]) -> dict[str, Any]:
        hints = get_type_hints(kind, include_extras=True)
        told = {}
        for key, value in table.items():
            if key not in hints:
                near = difflib.get_close_matches(key, [*hints], n=1)
                known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(hints)}"
                raise self._error(path, key, f"is no key here; {known}")
            try:
                told[key] = msgspec.convert(value, hints[key])
            except msgspec.ValidationError as error:
                raise self._error(path, key, _plainly(str(error))) from None
        return told

    def _error(self, path: tuple[str, ...], key: str, why: str) -> ConfigError:
        line = _line_of(self.text, path, key)
        place = f"{self.where}, line {line}" if line else self.where
        return ConfigError(f"{place}: {'.'.join((*path, key))!r} {why}")


def _plainly(why: str) -> str:
    """A sentence of msgspec's in the words of the file.

    >>> _plainly("Expected `int`, got `str`")
    'has to be a whole number, not text'
    """
    said = why.partition(" - at `")[0].removeprefix("Expected ").replace(", got ", ", not ")
    for word, plain in _PLAIN.items():
        said = said.replace(f"`{word}`", plain)
    return f"has to be {said}"


_PLAIN = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
}


def _line_of(text: str, path: tuple[str, ...], key: str) -> int:
    """The line in which `key` of the table `path` is set, from 1; 0 where it can't be told."""
    here: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            here = _path_of(stripped)
            if here == (*path, key):
                return number
        elif "=" in stripped and (*here, *_path_of(f"[{stripped.partition('=')[0]}]")) == (*path, key):
            return number
    return 0


def _path_of(header: str) -> tuple[str, ...]:
    try:
        table: Any = tomllib.loads(header)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(table, dict) and table:
        ((name, table),) = table.items()
        path.append(name)
    return tuple(path)
