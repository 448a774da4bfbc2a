from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from voicetop.cli import run
from voicetop.config import parse

BAD = """\
theem = "light"
url = "http://x"

[keys]
them = "t"
reverse = "x"
zone = "x"

[feeds.demo]
url = "ws://x"
token_file = "/no/such/token"

[feeds.a]
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("VOICETOP_URL", "VOICETOP_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "voicetop").mkdir()
    return tmp_path / "voicetop/config.toml"


def test_every_mistake_is_a_line_from_top_to_bottom(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.write_text(BAD)
    assert run(["config", "check"]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert [line.removeprefix(f"voicetop: {home}, ") for line in err.splitlines()] == [
        "line 1: 'theem' is an unknown key; did you mean 'theme'?",
        "line 2: 'url': 'http://x' is not a hub URL: did you mean ws://x ?",
        "line 5: 'keys.them' is not an action; did you mean 'theme'?",
        f"line 7: 'keys.zone': 'x' is already bound to 'reverse' in {home}, line 6",
        "line 9: 'feeds.demo': demo is a voicetop command; choose another name",
        "line 11: 'feeds.demo.token_file': /no/such/token: cannot read the token: No such file or directory",
        "line 13: 'feeds.a' needs its url = \"ws://…\"",
    ]


def test_a_right_config_is_said_to_be_right(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check"]) == 0
    assert "using defaults" in capsys.readouterr().out
    home.write_text('[feeds.a]\nurl = "ws://x"\n[keys]\nreverse = "t"\n')
    assert run(["config", "check"]) == 0
    out = capsys.readouterr().out
    assert "no mistakes; 1 feed, 1 action with your own keys" in out
    assert "note: action 'ended' no longer has a key" in out


def test_an_empty_file_is_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.write_text("")
    assert run(["config", "check"]) == 0
    assert "no mistakes" in capsys.readouterr().out


def test_a_theme_with_a_mistake_is_one_of_the_config(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home.parent / "themes").mkdir()
    (home.parent / "themes/mine.toml").write_text('[tones]\n\nacent = "red"\n')
    home.write_text('theme = "mine"\n')
    assert run(["config", "check"]) == 2
    err = capsys.readouterr().err
    mine = f"{home.parent}/themes/mine.toml"
    assert (
        f"{home}, line 1: 'theme': {mine}, line 3: 'tones.acent' is an unknown tone; did you mean 'accent'?"
        in err
    )


def test_what_is_shown_is_toml_and_says_where_each_value_comes_from(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICETOP_URL", "ws://elsewhere:1")
    monkeypatch.setenv("VOICETOP_TOKEN", "a-secret-of-some-length")
    home.write_text(
        'theme = "light"\n[prices."a/b"]\nper_audio_minute = 0.5\n[feeds."x y"]\nurl = "ws://x"\n[keys]\ntheme = "t"\n'
    )
    assert run(["config", "show"]) == 0
    out = capsys.readouterr().out
    shown = tomllib.loads(out)
    assert (shown["theme"], shown["url"], shown["keys"]["theme"]) == ("light", "ws://elsewhere:1", "t")
    assert shown["feeds"]["x y"]["url"] == "ws://x"
    said = {line.split(" = ")[0]: line.rpartition("# ")[2] for line in out.splitlines() if " = " in line}
    assert (said["utc"], said["per_audio_minute"]) == ("default", "line 3")
    assert 'url = "ws://elsewhere:1"' in out
    assert "# VOICETOP_URL" in out
    assert "VOICETOP_TOKEN" in out
    assert "a-secret" not in out


def test_what_is_shown_can_be_read_again(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "show"]) == 0
    copy = tmp_path / "copy.toml"
    copy.write_text(capsys.readouterr().out)
    assert run(["config", "check", str(copy)]) == 0
    assert parse(copy.read_text(), str(copy)).theme == "voicetop"


def test_another_word_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "shw"]) == 2
    assert "did you mean 'show'?" in capsys.readouterr().err
