"""One TOML file for what a team tells voicetop about itself; every error in it names file, line, key and what to do.

    url = "wss://hub.example.com"           # where `voicetop` looks without a URL
    token_file = "~/.config/voicetop/token"
    theme = "voicetop"
    utc = true
    user = "ada"                            # who notes and acts here; without it, who is logged in
    capacity = 600                          # tested limit, in calls at once
    terminal_steps = ["goodbye", "booked"]  # who hangs up here has finished
    grace_s = 120
    lost_after_s = 180
    rewind_s = 7200                         # how far back a live feed is kept to be gone back to; 0: not at all
    rewind_mb = 512

    [prices."openai/gpt-4o"]                # or the model alone, or a component: llm, stt, tts
    dated = 2026-11-01
    input_per_million = 2.5
    output_per_million = 10.0

    [feeds.staging]                         # `voicetop staging`, `voicetop production staging`
    url = "wss://staging.example.com"
    token_file = "~/.config/voicetop/staging.token"

    [keys]                                  # an action's id, and the keys that do it
    theme = "ctrl+t"
    window = "w, W"

    [links]                                 # shown with a call; {trace_id}, {call_id} and {source} are filled in
    trace = "https://traces.example.com/trace/{trace_id}"
    audio = "https://recordings.example.com/{call_id}.wav"
    call = "https://crm.example.com/calls/{call_id}"

    [notify]                                # whom to tell of alerts: `notify/settings.py`, docs/notify.md
    quiet = "22:00-07:00"

    [notify.pagerduty.oncall]
    routing_key = "env:PAGERDUTY_KEY"

What the command line says goes before what stands here.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from voicetop.connection.address import DEFAULT_URL
from voicetop.engine.config import EngineConfig, Price
from voicetop.errors import ConfigError, line_of, nearest
from voicetop.locations import config_file, rules_dir
from voicetop.notify.settings import (
    KINDS,
    NEEDED,
    SECRETS,
    NotifyConfig,
    minutes_of,
    why_no_secret,
)

_DEFAULT = EngineConfig()


class FeedConfig(Struct, frozen=True):
    """A feed that has a name: `[feeds.NAME]`."""

    url: str = ""
    token_file: str = ""

    def token(self) -> str:
        """What its `token_file` holds; empty where none is named. Raises ConfigError."""
        return _token_in(self.token_file)


class KeyEntry(Struct, frozen=True):
    """One line of `[keys]`: which keys do an action, and where that is said.

    Which actions and keys there are is known above (`ui.keymap`); `where` lets an error there name file and line.
    """

    action: str
    keys: str
    where: str


class LinkTemplates(Struct, frozen=True):
    """`[links]`: where a call's trace, its audio and the call itself can be looked at; empty is nowhere."""

    trace: str = ""
    audio: str = ""
    call: str = ""


LINK_FIELDS = ("trace_id", "call_id", "source")


class Config(Struct, frozen=True):
    """What the file says, or the defaults. Times in seconds; `capacity` 0 is not told."""

    url: str = DEFAULT_URL
    token_file: str = ""
    theme: str = "voicetop"
    utc: bool = False
    user: str = ""
    capacity: Annotated[int, Meta(ge=0)] = _DEFAULT.capacity
    terminal_steps: tuple[str, ...] = _DEFAULT.terminal_steps
    grace_s: Annotated[float, Meta(ge=0, le=86_400)] = _DEFAULT.grace_s
    lost_after_s: Annotated[float, Meta(gt=0, le=86_400)] = _DEFAULT.lost_after_s
    rewind_s: Annotated[float, Meta(ge=0, le=604_800)] = 7200.0
    rewind_mb: Annotated[int, Meta(ge=8, le=1_000_000)] = 512
    prices: dict[str, Price] = {}
    feeds: dict[str, FeedConfig] = {}
    keys: tuple[KeyEntry, ...] = ()
    links: LinkTemplates = LinkTemplates()
    notify: NotifyConfig = NotifyConfig()

    def token(self) -> str:
        """What `token_file` holds; empty where none is named. Raises ConfigError."""
        return _token_in(self.token_file)

    def engine(self) -> EngineConfig:
        """The part that the engine is told, with the person's own rules. Raises ConfigError for a wrong one."""
        from voicetop.alerts.rules.rule_files import files_in, read  # noqa: PLC0415 - behind the first frame

        book = read(files_in(rules_dir()))
        if book.mistakes:
            raise book.mistakes[0]
        return EngineConfig(
            rules=book.rules,
            policies=book.policies,
            capacity=self.capacity,
            prices=self.prices,
            terminal_steps=self.terminal_steps,
            grace_s=self.grace_s,
            lost_after_s=self.lost_after_s,
        )


TABLES = ("prices", "feeds", "keys", "links", "notify")


def load(path: Path | str | None = None) -> Config:
    """The config at `path`, or at its usual place, where none is needed. Raises ConfigError."""
    file = Path(path) if path is not None else config_file()
    if path is None and not file.is_file():
        return Config()
    return parse(read(file), str(file))


def read(file: Path) -> str:
    """The text of a config file. Raises ConfigError."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot read the config: {_why(error)}") from None


def parse(text: str, where: str) -> Config:
    """The config that `text` says; `where` names it in errors. Raises ConfigError, for the first of them."""
    config, mistakes = examine(text, where)
    if mistakes:
        raise mistakes[0]
    return config


def examine(text: str, where: str) -> tuple[Config, list[ConfigError]]:
    """The config as far as it can be understood, and every mistake in it."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Config(), [ConfigError(f"{where}: not TOML: {error}")]
    reader = _Reader(text, where)
    return reader.config(table), reader.mistakes


def _token_in(file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot read the token: {_why(error)}") from None


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8"


class _Reader:
    """Converts table by table, so that an error can say in which line its key stands. Goes on after a mistake."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where
        self.mistakes: list[ConfigError] = []

    def config(self, table: dict[str, Any]) -> Config:
        prices = self._tables(table.pop("prices", {}), "prices", '[prices."openai/gpt-4o"]')
        feeds = self._tables(table.pop("feeds", {}), "feeds", "[feeds.production]")
        keys, links = table.pop("keys", {}), table.pop("links", {})
        notify = table.pop("notify", {})
        told = self._fields(Config, (), table, but=TABLES)
        told["prices"] = {name: self._price(name, price) for name, price in prices.items()}
        told["feeds"] = {name: self._feed(name, feed) for name, feed in feeds.items()}
        told["keys"] = self._keys(keys)
        told["links"] = self._links(links)
        told["notify"] = self._notify(notify)
        return Config(**_expanded(told))

    def _tables(self, tables: Any, name: str, like: str) -> dict[str, dict[str, Any]]:
        """The tables of tables of one name; what is none is a mistake and left out."""
        if not isinstance(tables, dict):
            self._mistake((), name, f"has to be tables, like {like}")
            return {}
        for key, table in tables.items():
            if not isinstance(table, dict):
                self._mistake((name,), key, f'has to be a table, like [{name}."{key}"]')
        return {key: table for key, table in tables.items() if isinstance(table, dict)}

    def _price(self, name: str, table: dict[str, Any]) -> Price:
        dated = table.get("dated")
        if isinstance(dated, date):
            table["dated"] = dated.isoformat()
        told = self._fields(Price, ("prices", name), table)
        for key, value in told.items():
            if isinstance(value, float) and not 0 <= value < math.inf:
                self._mistake(("prices", name), key, "has to be dollars, 0 or more")
        return Price(**told)

    def _feed(self, name: str, table: dict[str, Any]) -> FeedConfig:
        told = self._fields(FeedConfig, ("feeds", name), table)
        if not table.get("url"):
            self._mistake(("feeds",), name, 'needs its url = "ws://…"')
        elif "://" in name or name.startswith("-") or not name.isprintable():
            self._mistake(("feeds",), name, "is typed on a command line: give it a plain name")
        return FeedConfig(**_expanded(told))

    def _keys(self, table: Any) -> tuple[KeyEntry, ...]:
        if not isinstance(table, dict):
            self._mistake((), "keys", 'has to be a table, like [keys] and in it theme = "ctrl+t"')
            return ()
        entries = []
        for action, keys in table.items():
            if isinstance(keys, str):
                entries.append(KeyEntry(action, keys, self._place(("keys",), action)))
            else:
                self._mistake(("keys",), action, 'has to be text, like "ctrl+t" or "w, W"')
        return tuple(entries)

    def _links(self, table: Any) -> LinkTemplates:
        if not isinstance(table, dict):
            self._mistake(
                (), "links", 'has to be a table, like [links] and in it trace = "https://…/{trace_id}"'
            )
            return LinkTemplates()
        told = self._fields(LinkTemplates, ("links",), table)
        return LinkTemplates(**{key: url for key, url in told.items() if self._is_link(key, url)})

    def _is_link(self, key: str, template: str) -> bool:
        """Whether a template is an address and names only what can be filled in; else a mistake."""
        why = ""
        if not template.startswith(("https://", "http://")):
            why = "has to begin with https:// or http://"
        elif not all("!" <= char <= "~" for char in template):
            why = "has to be plain ASCII without spaces"
        for name in re.findall(r"\{([^}]*)\}?", template):
            if name not in LINK_FIELDS:
                near = difflib.get_close_matches(name, LINK_FIELDS, n=1)
                hint = f"did you mean {{{near[0]}}}?" if near else "known are {trace_id}, {call_id}, {source}"
                why = f"knows no {{{name}}}; {hint}"
        if why and template:
            self._mistake(("links",), key, why)
        return not why

    def _notify(self, table: Any) -> NotifyConfig:
        if not isinstance(table, dict):
            self._mistake((), "notify", "has to be a table, like [notify] and in it desktop = true")
            return NotifyConfig()
        targets = {kind: self._targets(kind, table.pop(kind, {})) for kind in KINDS}
        told = self._fields(NotifyConfig, ("notify",), table, but=tuple(KINDS))
        self._check_quiet(("notify",), told)
        self._check_secret(("notify",), "heartbeat_url", told)
        return NotifyConfig(**{**told, **targets})

    def _targets(self, kind: str, tables: Any) -> dict[str, Any]:
        """The targets of one kind; one that lacks something is a mistake and left out, for it could tell nobody."""
        whole: dict[str, Any] = {}
        if not isinstance(tables, dict):
            self._mistake(("notify",), kind, f"has to be tables, like [notify.{kind}.NAME]")
            return whole
        for name, table in tables.items():
            path = ("notify", kind, name)
            if not isinstance(table, dict):
                self._mistake(path[:2], name, f"has to be a table with a name, like [notify.{kind}.NAME]")
                continue
            if kind == "pagerduty" and table.pop("quiet", None) is not None:
                self._mistake(
                    path, "quiet", "is no key here: pages are not held back, PagerDuty has hours of its own"
                )
            told = self._fields(KINDS[kind], path, table)
            self._check_quiet(path, told)
            missing = [key for key in NEEDED[kind] if not table.get(key)]
            if missing:
                self._mistake(path[:2], name, f"needs {' and '.join(missing)}")
            elif self._check_secret(path, SECRETS[kind], told):
                whole[name] = KINDS[kind](**told)
        return whole

    def _check_quiet(self, path: tuple[str, ...], told: dict[str, Any]) -> None:
        minutes = minutes_of(told["quiet"]) if told.get("quiet") else (0, 1)
        if minutes is None or minutes[0] == minutes[1]:
            self._mistake(path, "quiet", 'has to be two times of the day, like "22:00-07:00"')
            del told["quiet"]

    def _check_secret(self, path: tuple[str, ...], key: str, told: dict[str, Any]) -> bool:
        why = why_no_secret(told[key]) if told.get(key) else ""
        if why:
            self._mistake(path, key, why)
            del told[key]
        return key in told

    def _fields(
        self, kind: type[Struct], path: tuple[str, ...], table: dict[str, Any], but: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        hints = {
            key: hint for key, hint in get_type_hints(kind, include_extras=True).items() if key not in but
        }
        told = {}
        for key, value in table.items():
            if key not in hints:
                near = difflib.get_close_matches(key, [*hints, *but], n=1)
                known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join([*hints, *but])}"
                self._mistake(path, key, f"is no key here; {known}")
                continue
            try:
                told[key] = msgspec.convert(value, hints[key])
            except msgspec.ValidationError as error:
                self._mistake(path, key, _no_choice(error, hints[key]) or _plainly(str(error)))
        return told

    def _place(self, path: tuple[str, ...], key: str) -> str:
        line = line_of(self.text, path, key)
        return f"{self.where}, line {line}" if line else self.where

    def _mistake(self, path: tuple[str, ...], key: str, why: str) -> None:
        self.mistakes.append(ConfigError(f"{self._place(path, key)}: {'.'.join((*path, key))!r} {why}"))


def _expanded(told: dict[str, Any]) -> dict[str, Any]:
    if told.get("token_file"):
        told["token_file"] = str(Path(told["token_file"]).expanduser())
    return told


def _no_choice(error: msgspec.ValidationError, hint: Any) -> str:
    """What to choose from, where a word is none of those that there are; else empty."""
    found = re.match(r"Invalid enum value '(.*)'", str(error))
    if found is None:
        return ""
    choices = [word for part in (hint, *get_args(hint)) for word in get_args(part) if isinstance(word, str)]
    return f"{found[1]!r} is no choice{nearest(found[1], choices)}"


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
    "str | null": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
}
