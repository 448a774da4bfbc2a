from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from voicetop.config import HUB_KEYS, Config, LinkTemplates, load, parse, read
from voicetop.engine.config import EngineConfig, Price
from voicetop.errors import ConfigError

WHOLE = """
url = "wss://hub.example.com"
token_file = "~/token"
theme = "light"
utc = true
capacity = 600
terminal_steps = ["booked"]
grace_s = 60
lost_after_s = 90.5

[prices."openai/gpt-4o"]
dated = 2026-11-01
input_per_million = 2.5
output_per_million = 10

[prices.stt]
per_audio_minute = 0.0043
"""


def test_without_a_file_everything_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load() == Config()
    assert Config().engine() == EngineConfig()


def test_the_file_at_its_usual_place_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "voicetop").mkdir()
    (tmp_path / "voicetop/config.toml").write_text("capacity = 12\n")
    assert load().capacity == 12


def folder(file: Path) -> None:
    file.mkdir()


def link_to_nothing(file: Path) -> None:
    file.symlink_to("not-mounted-yet.toml")


def link_to_itself(file: Path) -> None:
    file.symlink_to(file.name)


def file_in_place_of_its_folder(file: Path) -> None:
    file.parent.rmdir()
    file.parent.write_text("theme = 'light'\n")


@pytest.mark.parametrize(
    "make",
    [folder, link_to_nothing, link_to_itself, file_in_place_of_its_folder],
    ids=lambda make: make.__name__,
)
def test_a_file_that_cannot_be_read_is_a_mistake_and_not_no_file(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "voicetop").mkdir()
    make(tmp_path / "voicetop/config.toml")
    [mistake] = load().mistakes
    assert "cannot read the config" in str(mistake)
    with pytest.raises(ConfigError, match="cannot read the config"):
        load(*HUB_KEYS)


def test_every_key_arrives_and_the_engine_gets_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    config = parse(WHOLE, "c.toml")
    assert (config.url, config.theme, config.utc) == ("wss://hub.example.com", "light", True)
    assert config.token_file == "/home/someone/token"
    assert config.engine() == EngineConfig(
        capacity=600,
        prices={
            "openai/gpt-4o": Price(input_per_million=2.5, output_per_million=10.0, dated="2026-11-01"),
            "stt": Price(per_audio_minute=0.0043),
        },
        terminal_steps=("booked",),
        grace_s=60.0,
        lost_after_s=90.5,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\ncapcity = 3", "c.toml, line 2: 'capcity' is an unknown key; did you mean 'capacity'?"),
        ('capacity = "x"', "c.toml, line 1: 'capacity' has to be a whole number, not text"),
        ("capacity = -1", "c.toml, line 1: 'capacity' has to be a whole number >= 0"),
        ("utc = 1", "c.toml, line 1: 'utc' has to be true or false, not a whole number"),
        ("grace_s = inf", "c.toml, line 1: 'grace_s' has to be a number <= 86400.0"),
        ("terminal_steps = [1]", "c.toml, line 1: 'terminal_steps' has to be text, not a whole number"),
        (
            "[prices.stt]\n\n# per minute\nper_audio_minutes = 1",
            "c.toml, line 4: 'prices.stt.per_audio_minutes' is an unknown key; did you mean 'per_audio_minute'?",
        ),
        (
            '[prices."a/b"]\ninput_per_million = "2"',
            "c.toml, line 2: 'prices.a/b.input_per_million' has to be a number, not text",
        ),
        (
            "[prices]\nstt.per_audio_minute = -1",
            "c.toml, line 2: 'prices.stt.per_audio_minute' has to be an amount in dollars, 0 or more",
        ),
        ("prices.llm = 3", "c.toml, line 1: 'prices.llm' has to be a table, like [prices.llm]"),
        ("prices = 3", "c.toml, line 1: 'prices' has to be tables, like [prices.\"openai/gpt-4o\"]"),
        (
            '[links]\ntrace = "https://t.example/{trace}"',
            "c.toml, line 2: 'links.trace' has an unknown placeholder {trace}; did you mean '{trace_id}'?",
        ),
        ('[links]\naudio = "ftp://x"', "c.toml, line 2: 'links.audio' has to begin with https:// or http://"),
        ('[links]\ncall = "https://x/ü"', "c.toml, line 2: 'links.call' has to be plain ASCII without spaces"),
        ('[links]\nlog = "https://x"', "c.toml, line 2: 'links.log' is an unknown key; valid: trace, audio, call"),
        ("links = 1", "c.toml, line 1: 'links' has to be a table, like [links] and in it trace = \"https://…/{trace_id}\""),
        ("url = ", "c.toml: not TOML: Invalid value (at end of document)"),
        ("utc = true\nutc = 1\n", "c.toml, line 2: not TOML: Cannot overwrite a value (column 8)"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_line_key_and_what_to_do(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.toml")
    assert str(caught.value) == message


def test_a_key_like_no_other_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"'zzz' is an unknown key; valid: url, token_file, theme, utc"):
        parse("zzz = 1", "c.toml")


def test_a_named_file_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot read the config: No such file"):
        read(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b'theme = "\xff"')
    with pytest.raises(ConfigError, match=r"latin\.toml: cannot read the config: it is not UTF-8"):
        read(tmp_path / "latin.toml")


def test_the_token_is_what_its_file_holds(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a-token-of-some-length\n")
    assert parse(f'token_file = "{file}"', "c.toml").token() == "a-token-of-some-length"
    assert Config().token() == ""
    file.unlink()
    with pytest.raises(ConfigError, match=r"token: cannot read the token: No such file"):
        Config(token_file=str(file)).token()


def test_links_are_templates_of_addresses() -> None:
    config = parse('[links]\ntrace = "https://t.example/{trace_id}?s={source}"', "c.toml")
    assert config.links == LinkTemplates(trace="https://t.example/{trace_id}?s={source}")


def test_the_config_may_say_who_acts_at_this_console() -> None:
    assert parse('user = "ada"\n', "here").user == "ada"
