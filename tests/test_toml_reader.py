from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from voicetop.errors import ConfigError
from voicetop.toml_reader import TomlFile, line_of, read_text

TEXT = """\
size = 3
colours = ["red"]

[feeds.a]
url = "ws://a"
[feeds]
b.url = "ws://b"
"c d" = { url = "ws://c" }
"""


class Feed(Struct):
    url: str = ""
    retries: Annotated[int, Meta(ge=0)] = 3


def test_values_tables_and_structs_are_read() -> None:
    root = TomlFile(TEXT, "a.toml").root
    assert root.value("size", int, 0) == 3
    assert root.value("depth", int, 7) == 7
    assert root.value("colours", list[str], [""]) == ["red"]
    feeds = root.tables("feeds", "[feeds.x]")
    assert {name: table.fields(Feed) for name, table in feeds.items()} == {
        "a": {"url": "ws://a"},
        "b": {"url": "ws://b"},
        "c d": {"url": "ws://c"},
    }
    assert root.file.mistakes == []


@pytest.mark.parametrize(
    ("path", "key", "line"),
    [
        ((), "size", 1),
        (("feeds",), "a", 4),
        (("feeds", "a"), "url", 5),
        (("feeds", "b"), "url", 7),
        (("feeds",), "c d", 8),
        ((), "feeds", 4),
        ((), "url", 0),
    ],
)
def test_the_line_of_a_key(path: tuple[str, ...], key: str, line: int) -> None:
    assert line_of(TEXT, path, key) == line


def test_every_mistake_is_found_and_each_names_file_line_and_key() -> None:
    file = TomlFile(
        'size = "3"\ncolor = 1\nmode = "fsat"\n\n[feeds.a]\nretries = -1\n[feeds."b c"]\n', "a.toml"
    )
    root = file.root
    assert root.value("size", int, 0) == 0
    assert root.value("mode", Literal["fast", "slow"], "slow") == "slow"
    root.only(("size", "colour", "mode", "feeds"))
    feeds = root.tables("feeds", "[feeds.x]")
    assert feeds["a"].fields(Feed) == {}
    feeds["b c"].wrong("", "needs a url")
    feeds["b c"].wrong("url", "is missing")
    assert [str(mistake) for mistake in file.mistakes] == [
        "a.toml, line 1: 'size' has to be a whole number, not text",
        "a.toml, line 3: 'mode' has to be one of fast, slow, not 'fsat'; did you mean 'fast'?",
        "a.toml, line 2: 'color' is an unknown key; did you mean 'colour'?",
        "a.toml, line 6: 'feeds.a.retries' has to be a whole number >= 0",
        "a.toml, line 7: 'feeds.b c' needs a url",
        "a.toml, line 7: 'feeds.b c.url' is missing",
    ]


def test_what_is_no_table_is_told_how_to_be_written() -> None:
    file = TomlFile("links = 1\nfeeds = { a = 1 }\nprices = 2\n", "a.toml")
    assert file.root.table("links", "[links]").values == {}
    assert file.root.tables("feeds", "[feeds.x]") == {}
    assert file.root.tables("prices", "[prices.x]") == {}
    assert [str(mistake) for mistake in file.mistakes] == [
        "a.toml, line 1: 'links' has to be a table, like [links]",
        "a.toml, line 2: 'feeds.a' has to be a table, like [feeds.a]",
        "a.toml, line 3: 'prices' has to be tables, like [prices.x]",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\na = 2\n", "a.toml, line 2: not TOML: Cannot overwrite a value (column 6)"),
        ("a = ", "a.toml: not TOML: Invalid value (at end of document)"),
        ("a = " + "[" * 5000, "a.toml: not TOML: nested too deeply"),
    ],
)
def test_what_is_no_toml_is_one_mistake_and_reads_as_empty(text: str, said: str) -> None:
    file = TomlFile(text, "a.toml")
    assert file.root.values == {}
    assert [str(mistake) for mistake in file.mistakes] == [said]


def test_files_may_share_their_mistakes() -> None:
    mistakes: list[ConfigError] = []
    for name in ("a.toml", "b.toml"):
        TomlFile("x = 1", name, mistakes).root.only(["y"])
    assert len(mistakes) == 2


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot read the config: No such file"):
        read_text(tmp_path / "gone.toml", "the config")
    (tmp_path / "latin.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"latin\.toml: cannot read the rules: it is not UTF-8"):
        read_text(tmp_path / "latin.toml", "the rules")


@given(st.text(alphabet="ab=\"[].\n'# 1{}", max_size=60))
def test_any_text_is_read_or_refused_in_lines(text: str) -> None:
    file = TomlFile(text, "a.toml")
    file.root.fields(Feed)
    file.root.tables("a", "[a.x]")
    assert all("\n" not in str(mistake) for mistake in file.mistakes)
