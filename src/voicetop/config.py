"""The config, one TOML file; every error names file, line, key and the fix.

    url = "wss://hub.example.com"           # the hub that `voicetop` opens without a URL
    token_file = "~/.config/voicetop/token"
    theme = "voicetop"
    utc = true
    user = "ada"                            # signs notes and actions; default: the login name
    capacity = 600                          # tested limit, in simultaneous calls
    terminal_steps = ["goodbye", "booked"]  # a hang-up at these steps is a finished call
    grace_s = 120
    lost_after_s = 180
    rewind_s = 7200                         # history of a live feed, for going back in time; 0: none
    rewind_mb = 512

    [prices."openai/gpt-4o"]                # or the model alone, or a component: llm, stt, tts
    dated = 2026-11-01
    input_per_million = 2.5
    output_per_million = 10.0

    [feeds.staging]                         # `voicetop staging`, `voicetop production staging`
    url = "wss://staging.example.com"
    token_file = "~/.config/voicetop/staging.token"

    [keys]                                  # an action's id and its keys
    theme = "ctrl+t"
    window = "w, W"

    [links]                                 # shown with a call; {trace_id}, {call_id} and {source} are filled in
    trace = "https://traces.example.com/trace/{trace_id}"
    audio = "https://recordings.example.com/{call_id}.wav"
    call = "https://crm.example.com/calls/{call_id}"

    [notify]                                # alert targets: `notify/settings.py`, docs/notify.md
    quiet = "22:00-07:00"

    [notify.pagerduty.oncall]
    routing_key = "env:PAGERDUTY_KEY"

Command-line options override the file.
"""

from __future__ import annotations

import math
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct, structs

from voicetop.connection.address import DEFAULT_URL
from voicetop.engine.config import EngineConfig, Price
from voicetop.errors import ConfigError, nearest
from voicetop.locations import config_file, rules_dir
from voicetop.notify.settings import NotifyConfig, parse_notify
from voicetop.toml_reader import TomlFile, TomlTable, read_text

if TYPE_CHECKING:
    from voicetop.alerts.rules.rule_files import RuleSet

_DEFAULT = EngineConfig()


class FeedConfig(Struct, frozen=True):
    """A named feed: `[feeds.NAME]`."""

    url: str = ""
    token_file: str = ""

    def token(self) -> str:
        """The content of its `token_file`; empty without one. Raises ConfigError."""
        return _token_in(self.token_file)


class KeyEntry(Struct, frozen=True):
    """One line of `[keys]`: an action, its keys, and the place of the line.

    `ui.actions.keymap` checks actions and keys; `where` lets its errors name file and line.
    """

    action: str
    keys: str
    where: str


class LinkTemplates(Struct, frozen=True):
    """`[links]`: URL templates for a call's trace, its audio and the call itself; "" for none."""

    trace: str = ""
    audio: str = ""
    call: str = ""


LINK_FIELDS = ("{trace_id}", "{call_id}", "{source}")


class Config(Struct, frozen=True):
    """The settings of the file, or the defaults. Times in seconds; `capacity` 0 is unset."""

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
    mistakes: tuple[ConfigError, ...] = ()
    """Each costs only its own value, which has its default."""

    def token(self) -> str:
        """The content of `token_file`; empty without one. Raises ConfigError."""
        return _token_in(self.token_file)

    def engine(self) -> EngineConfig:
        """The engine's settings, with those of the user's own rules that are valid."""
        book = user_rules()
        return EngineConfig(
            rules=book.rules,
            policies=book.policies,
            capacity=self.capacity,
            prices=self.prices,
            terminal_steps=self.terminal_steps,
            grace_s=self.grace_s,
            lost_after_s=self.lost_after_s,
        )


def user_rules() -> RuleSet:
    """The user's own alert rules, and the mistakes in them."""
    from voicetop.alerts.rules.rule_files import files_in, read  # noqa: PLC0415 - behind the first frame

    return read(files_in(rules_dir()))


WHOLE_FILE = ""
HUB_KEYS = (WHOLE_FILE, "url", "token_file", "feeds")
"""What decides which hub a program connects to, and with which token."""
TABLES = ("prices", "feeds", "keys", "links", "notify")


def load(*needed: str) -> Config:
    """The valid part of the default file, with its `mistakes`.

    Raises ConfigError for a mistake in a `needed` key or table, or in the whole file if WHOLE_FILE is needed: where a
    default instead of what was meant would be unsafe.
    """
    file = config_file()
    if not is_there(file):
        return Config()
    try:
        config, mistakes = examine(read(file), str(file))
    except ConfigError as error:
        config, mistakes = Config(), [error]
    for mistake in mistakes:
        if (mistake.path or (WHOLE_FILE,))[0] in needed:
            raise mistake
    return structs.replace(config, mistakes=tuple(mistakes))


def is_there(file: Path) -> bool:
    """Whether there is a config file. Reading one that is a folder, or a link to nothing, says so."""
    try:
        file.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def read(file: Path) -> str:
    """The text of a config file. Raises ConfigError."""
    return read_text(file, "the config")


def parse(text: str, where: str) -> Config:
    """Parse a config; `where` names it in errors. Raises ConfigError for the first mistake."""
    config, mistakes = examine(text, where)
    if mistakes:
        raise mistakes[0]
    return config


def examine(text: str, where: str) -> tuple[Config, list[ConfigError]]:
    """The valid part of a config, and every mistake in it."""
    file = TomlFile(text, where)
    root = file.root
    prices = root.tables("prices", '[prices."openai/gpt-4o"]')
    config = Config(
        **_expanded(root.fields(Config, but=TABLES, computed=("mistakes",))),
        prices={name: _price(table) for name, table in prices.items()},
        feeds={
            name: _feed(name, table) for name, table in root.tables("feeds", "[feeds.production]").items()
        },
        keys=_keys(root.table("keys", '[keys] and in it theme = "ctrl+t"')),
        links=_links(root.table("links", '[links] and in it trace = "https://…/{trace_id}"')),
        notify=parse_notify(root.table("notify", "[notify] and in it desktop = true")),
    )
    return config, file.mistakes


def _token_in(file: str) -> str:
    return read_text(file, "the token").strip() if file else ""


def _price(table: TomlTable) -> Price:
    dated = table.values.get("dated")
    if isinstance(dated, date):
        table.values["dated"] = dated.isoformat()
    read = table.fields(Price)
    for key, value in read.items():
        if isinstance(value, float) and not 0 <= value < math.inf:
            table.wrong(key, "has to be an amount in dollars, 0 or more")
    return Price(**read)


def _feed(name: str, table: TomlTable) -> FeedConfig:
    read = table.fields(FeedConfig)
    if not table.values.get("url"):
        table.wrong("", 'needs its url = "ws://…"')
    elif "://" in name or name.startswith("-") or not name.isprintable():
        table.wrong("", "will be typed on a command line: choose a plain name")
    return FeedConfig(**_expanded(read))


def _keys(table: TomlTable) -> tuple[KeyEntry, ...]:
    for action, keys in table.values.items():
        if not isinstance(keys, str):
            table.wrong(action, 'has to be text, like "ctrl+t" or "w, W"')
    return tuple(
        KeyEntry(action, keys, table.place(action))
        for action, keys in table.values.items()
        if isinstance(keys, str)
    )


def _links(table: TomlTable) -> LinkTemplates:
    read = {key: url for key, url in table.fields(LinkTemplates).items() if url}
    wrong = {key: why for key, url in read.items() if (why := _link_error(url))}
    for key, why in wrong.items():
        table.wrong(key, why)
    return LinkTemplates(**{key: url for key, url in read.items() if key not in wrong})


def _link_error(template: str) -> str:
    """Why a template is not a valid URL or has an unknown placeholder; empty if it is fine."""
    for name in re.findall(r"\{[^}]*\}?", template):
        if name not in LINK_FIELDS:
            return f"has an unknown placeholder {name}{nearest(name, LINK_FIELDS)}"
    if not template.startswith(("https://", "http://")):
        return "has to begin with https:// or http://"
    return "" if all("!" <= char <= "~" for char in template) else "has to be plain ASCII without spaces"


def _expanded(read: dict[str, Any]) -> dict[str, Any]:
    if read.get("token_file"):
        read["token_file"] = str(Path(read["token_file"]).expanduser())
    return read
