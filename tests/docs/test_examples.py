"""Every TOML block and every command in the documentation is read by the code that a user's own would be read by."""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recording.recording_samples import beat, record, welcome
from voicetop.alerts.rules import rule_files
from voicetop.cli import parse, run
from voicetop.config import TABLES, Config, examine
from voicetop.ui.actions import keymap
from voicetop.ui.style import theme
from zones import machine_zone

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```toml\n(.*?)^```", re.DOTALL | re.MULTILINE)
FENCED = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"^    (?:\$ )?(voicetop\b.*)$|`(voicetop(?: [^`\n]*)?)`", re.MULTILINE)
NOT_WORDS = re.compile(r"[\[\]…]| \.\.\.|\bcheck\|")
"""A form of a command, not a command."""
RECORDINGS = ROOT / "recordings"
OFFLINE = ("cut", "merge", "redact", "export", "replay", "rules", "config")
"""Commands that need neither a hub nor a terminal, with what `at_full_speed` adds."""
QUIET_FROM = datetime(2026, 11, 22, 14, 8, 10, tzinfo=UTC).timestamp()


def blocks() -> list[tuple[str, str]]:
    return [(page.name, text) for page in PAGES for text in BLOCK.findall(page.read_text(encoding="utf-8"))]


def commands() -> list[str]:
    """Each command up to a pipe, a redirection, a comment or a second column."""
    found: dict[str, None] = {}
    for page in PAGES:
        text = FENCED.sub(
            lambda block: re.sub("^", "    ", block[1], flags=re.MULTILINE), page.read_text("utf-8")
        )
        for match in COMMAND.finditer(text):
            text = re.split(r"\s{2,}|\s[|<>&#]|\s\(| …$", match[1] or match[2])[0].strip()
            if not NOT_WORDS.search(text):
                found[text] = None
    return list(found)


def mistakes_in(text: str, folder: Path) -> list[str]:
    """As a theme, as rules or as a config, by what is in it."""
    keys = tomllib.loads(text)
    if "tones" in keys:
        (folder / "mine.toml").write_text(text, encoding="utf-8")
        theme.read(folder / "mine.toml")
        return []
    if set(keys) & {*Config.__struct_fields__, *TABLES}:
        config, mistakes = examine(text, "the example")
        return [*map(str, mistakes), *map(str, keymap.examine(config.keys)[1])]
    return [*map(str, rule_files.parse(text).mistakes)]


@pytest.mark.parametrize(("page", "text"), blocks())
def test_every_toml_block_is_one_that_voicetop_reads(page: str, text: str, tmp_path: Path) -> None:
    assert mistakes_in(text, tmp_path) == [], page


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config of the documentation, in which feeds have names."""
    folder = tmp_path / "etc" / "voicetop"
    folder.mkdir(parents=True)
    example = next(text for _, text in blocks() if "[feeds.staging]" in text)
    (folder / "config.toml").write_text(example, encoding="utf-8")
    for token in ("token", "production.token"):
        home = tmp_path / ".config" / "voicetop"
        home.mkdir(parents=True, exist_ok=True)
        (home / token).write_text("a-token-of-some-length\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def words_of(command: str) -> list[str]:
    return ["600" if word == "N" else word for word in shlex.split(command.removesuffix("\\|"))[1:]]


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize("command", [command for command in commands() if len(command.split()) > 2])
def test_every_command_is_one_that_voicetop_knows(command: str) -> None:
    assert parse(words_of(command))


def runnable() -> list[str]:
    """Those that read files of the reader's own: each once with the same options, and none for ever."""
    found: dict[tuple[str, ...], str] = {}
    for command in commands():
        words = command.split()[1:]
        if len(words) > 1 and words[0] in OFFLINE and "--loop" not in words and "/var/" not in command:
            options = (word for word in words if word.startswith("-"))
            found.setdefault(
                (words[0], words[1] if words[0] in ("rules", "config") else "", *options), command
            )
    return list(found.values())


def at_full_speed(words: list[str]) -> list[str]:
    return [*words, "--plain", "--speed", "max"] if words[0] == "replay" else words


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of the moments around 14:05: a command does to them what it does to a day."""
    part = tmp_path_factory.mktemp("moments") / "moments.vtr"
    when = ["--from", "14:04:50", "--to", "14:05:10", "--utc"]
    assert run(["cut", str(RECORDINGS / "llm-outage.vtr"), *when, "-o", str(part)]) == 0
    return part


def put_inputs(words: list[str], folder: Path, moments: Path) -> None:
    """What the words name has to be there: recordings, folders of them, and a rule file."""
    inputs = [word for before, word in itertools.pairwise(words) if before != "-o"]
    for name in inputs:
        if name.endswith("/") or name in ("DIR", "FOLDER"):
            (folder / name).mkdir()
            shutil.copy(moments, folder / name / "a.vtr")
            quiet = [welcome(0, QUIET_FROM), *(beat(n, QUIET_FROM + 10 * n) for n in range(1, 90))]
            record(folder / name / "b.vtr", quiet)
        elif name.endswith(".vtr") or name == "FILE":
            (folder / name).parent.mkdir(exist_ok=True)
            shipped = RECORDINGS / "pipecat-call.vtr" if name == "hub-b.vtr" else moments
            shutil.copy(shipped, folder / name)
        elif name.endswith(".toml"):
            rules = next(text for _, text in blocks() if text.startswith("[rules.") or "\n[rules." in text)
            (folder / name).write_text(rules, encoding="utf-8")


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize("command", runnable())
def test_every_command_on_a_file_does_what_the_page_says(
    command: str,
    moments: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = words_of(command)
    monkeypatch.chdir(tmp_path)
    put_inputs(words, tmp_path, moments)
    with machine_zone("UTC"):
        assert run(at_full_speed(words)) == 0, capsys.readouterr().err
    if "-o" in words:
        assert (tmp_path / words[words.index("-o") + 1]).stat().st_size > 0


def test_there_are_examples_of_both_kinds() -> None:
    assert len(blocks()) >= 4
    assert len(runnable()) >= 8
