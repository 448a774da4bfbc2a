"""A mistake in the config costs its own value and a warning, not the command, unless a default is unsafe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from recording.recording_samples import beat, record, welcome
from terminal.emulator import Terminal
from voicetop.cli import run
from voicetop.cli.config_warnings import in_one, usable_theme, warnings_of
from voicetop.config import load
from voicetop.hub.config import read_tokens

Captured = pytest.CaptureFixture[str]
NOT_TOML = "capacity = \n"
MISTAKES = 'capacity = "many"\nutc = true\nzzz = 1\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("VOICETOP_TOKEN", raising=False)
    monkeypatch.delenv("VOICETOP_URL", raising=False)
    path = tmp_path / "etc" / "voicetop" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> str:
    return str(
        record(tmp_path / "a.vtr", [welcome(0, 1.76e9), *(beat(n, 1.76e9 + n) for n in range(1, 600))])
    )


def test_the_right_values_stand_and_the_wrong_ones_have_their_defaults(config: Path) -> None:
    config.write_text(MISTAKES)
    settings = load()
    assert (settings.capacity, settings.utc) == (0, True)
    assert [str(mistake).partition(", line ")[2][:14] for mistake in settings.mistakes] == [
        "3: 'zzz' is an",
        "1: 'capacity' ",
    ]


@pytest.mark.parametrize("text", [MISTAKES, NOT_TOML, 'theme = "none"\nprices = 3\n[keys]\nthem = 7\n'])
@pytest.mark.parametrize(
    "words",
    [
        ["replay", "FILE", "--plain", "--speed", "max"],
        ["cut", "FILE", "-o", "OUT"],
        ["redact", "FILE", "-o", "OUT"],
        ["export", "FILE"],
        ["rules", "test", "playbook", "FILE"],
    ],
)
def test_a_mistake_stops_no_command_that_reads_a_recording(
    config: Path, recording: str, tmp_path: Path, capsys: Captured, text: str, words: list[str]
) -> None:
    config.write_text(text)
    names = {"FILE": recording, "OUT": str(tmp_path / "out.vtr")}
    assert run([names.get(word, word) for word in words]) == 0
    said = capsys.readouterr().err
    if words[0] not in ("redact", "export"):
        assert f"voicetop: {config}" in said
        assert "; ignored\n" in said
    assert run(["config", "check"]) == 2


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        (["watch", "ws://127.0.0.1:1"], "[notify.slack.all]\nchannel = 5\n", "'notify.slack.all"),
        (["watch", "ws://127.0.0.1:1"], NOT_TOML, "not TOML"),
        (["watch", "ws://127.0.0.1:1"], "token_file = 5\n", "'token_file' has to be text"),
        (["notify", "test"], NOT_TOML, "not TOML"),
        (["notify", "test"], "[notify]\nquiet = 5\n", "'notify.quiet'"),
        (["--plain"], "url = 5\n", "'url' has to be text"),
        (["--plain"], NOT_TOML, "not TOML"),
        (["ws://127.0.0.1:1", "--plain"], "token_file = 5\n", "'token_file' has to be text"),
        (["staging", "--plain"], "[feeds.staging]\nurl = 5\n", "'feeds.staging.url' has to be text"),
    ],
)
def test_a_mistake_is_refused_where_a_default_would_be_unsafe(
    config: Path, capsys: Captured, words: list[str], text: str, said: str
) -> None:
    config.write_text(text)
    assert run(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_console_with_a_url_does_not_need_the_file(config: Path, capsys: Captured) -> None:
    config.write_text(NOT_TOML)
    assert run(["ws://127.0.0.1:1", "--plain", "--record", "/no/such/a.vtr"]) == 2
    assert capsys.readouterr().err.startswith("voicetop: cannot record to /no/such/a.vtr")


def test_the_watcher_does_not_start_on_wrong_rules(config: Path, capsys: Captured) -> None:
    rules = config.parent / "rules"
    rules.mkdir()
    (rules / "bad.toml").write_text("[rules.x]\n")
    assert run(["watch", "ws://127.0.0.1:1"]) == 2
    assert "bad.toml, line 1: 'rules.x.metric'" in capsys.readouterr().err


@contextmanager
def short_folder() -> Iterator[str]:
    """A folder of configs with two mistakes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "voicetop" / "config.toml"
        path.parent.mkdir()
        path.write_text('capacity = -5\n[keys]\nthem = "t"\n')
        yield folder


def test_a_screen_shows_the_first_mistake_and_its_end_all_of_them(recording: str) -> None:
    """In a folder with a short name: a screen clips what is too long, and pytest numbers its folders."""
    with short_folder() as folder, Terminal("replay", recording, XDG_CONFIG_HOME=folder) as terminal:
        terminal.shows("ignored:")
        terminal.shows("'capacity' has to be")
        terminal.shows("· 1 more")
        terminal.press("q")
        assert terminal.ended() == 0
        assert b"'keys.them' is not an action; did you mean 'theme'?; ignored" in terminal.raw


def test_a_theme_with_a_mistake_is_the_standard_theme(config: Path) -> None:
    (config.parent / "themes").mkdir()
    (config.parent / "themes" / "mine.toml").write_text('[tones]\nacent = "red"\n')
    config.write_text('theme = "mine"\n')
    assert usable_theme(load()) == "voicetop"
    [warning] = warnings_of(load())
    assert "mine.toml, line 2: 'tones.acent' is an unknown tone" in warning
    assert in_one([warning]) == f"ignored: {warning} · voicetop config check"


def test_a_byte_order_mark_is_skipped(config: Path, tmp_path: Path) -> None:
    config.write_text("\ufeffcapacity = 12\n", encoding="utf-8")
    assert (load().capacity, load().mistakes) == (12, ())
    tokens = tmp_path / "tokens"
    tokens.write_text("\ufeffviewer a-token-of-some-length\n", encoding="utf-8")
    assert read_tokens(str(tokens))[0].role == "viewer"
    token = tmp_path / "token"
    token.write_text("\ufeffa-token-of-some-length\n", encoding="utf-8")
    config.write_text(f'token_file = "{token}"\n')
    assert load().token() == "a-token-of-some-length"
