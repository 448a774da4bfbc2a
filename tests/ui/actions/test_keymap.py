from __future__ import annotations

import pytest

from ui.fake_feed import FakeFeed
from voicetop.config import KeyEntry
from voicetop.errors import ConfigError
from voicetop.ui.actions.keymap import USUAL, Keymap, examine, key_name
from voicetop.ui.actions.registry import ACTIONS, BY_ID, EVERYWHERE, Place, available, written
from voicetop.ui.app import ConsoleApp
from voicetop.ui.lines import text_of
from voicetop.ui.renderables.boxes import help_body


def entry(action: str, keys: str, line: int = 1) -> KeyEntry:
    return KeyEntry(action, keys, f"c.toml, line {line}")


def keymap_of(entries: list[KeyEntry]) -> Keymap:
    keymap, mistakes = examine(entries)
    for mistake in mistakes:
        raise mistake
    return keymap


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("?", "question_mark"),
        ("Ctrl+T", "ctrl+t"),
        ("ctrl++", "ctrl+plus"),
        ("+", "plus"),
        ("G", "G"),
        ("Esc", "escape"),
        ("PgDn", "pagedown"),
        ("F5", "f5"),
        ("space", "space"),
        ("alt+left", "alt+left"),
        ("pgdwn", ""),
        ("ctlr+x", ""),
        ("ctrl+", ""),
        ("", ""),
        (" ", ""),
    ],
)
def test_keys_are_written_as_people_write_them(word: str, name: str) -> None:
    assert key_name(word) == name


def test_what_a_key_does_depends_on_the_page_and_on_the_persons_own_keys() -> None:
    assert USUAL.action_for("a", "alerts") == "acknowledge"
    assert USUAL.action_for("a", "overview") == "mark"
    assert USUAL.action_for("f12", "overview") == ""
    keymap = keymap_of([entry("theme", "a")])
    assert keymap.action_for("a", "overview") == "theme"
    assert keymap.action_for("T", "overview") == ""


def test_without_wishes_every_action_has_its_usual_keys() -> None:
    assert [action.keys for action in USUAL.actions()] == [action.keys for action in ACTIONS]
    assert not keymap_of([]).unbound


def test_a_wish_takes_its_key_from_what_had_it_on_the_same_screens() -> None:
    keymap = keymap_of([entry("theme", "w, ctrl+t")])
    assert keymap.keys("theme") == "w,ctrl+t"
    assert keymap.keys("window") == ""
    assert keymap.unbound == ("window",)


def test_a_key_may_have_two_actions_where_no_screen_has_both() -> None:
    assert not set(BY_ID["narrow"].places) & set(BY_ID["ended"].places)
    keymap = keymap_of([entry("narrow", "x"), entry("ended", "x")])
    assert (keymap.keys("narrow"), keymap.keys("ended")) == ("x", "x")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([entry("them", "x", 3)], "c.toml, line 3: 'keys.them' is not an action; did you mean 'theme'?"),
        (
            [entry("theme", "pgdwn", 4)],
            "c.toml, line 4: 'keys.theme': 'pgdwn' is not a key; did you mean 'pagedown'?",
        ),
        ([entry("theme", "a,,b")], "c.toml, line 1: 'keys.theme': '' is not a key; write keys like"),
        (
            [entry("theme", "?", 1), entry("window", "?", 9)],
            "c.toml, line 9: 'keys.window': '?' is already bound to 'theme' in c.toml, line 1",
        ),
    ],
)
def test_a_mistake_names_file_line_key_and_what_is_near(entries: list[KeyEntry], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        keymap_of(entries)
    assert str(caught.value).startswith(said)


def test_every_mistake_is_told_not_only_the_first() -> None:
    _, mistakes = examine([entry("them", "x"), entry("quti", "y"), entry("help", "no such")])
    assert len(mistakes) == 3


def test_an_action_may_be_left_without_a_key() -> None:
    assert keymap_of([entry("window", "")]).keys("window") == ""


async def test_footer_help_palette_and_bindings_follow_the_config() -> None:
    keymap = keymap_of([entry("window", "W"), entry("help", "f5"), entry("palette", "ctrl+k")])
    feed = FakeFeed()
    app = ConsoleApp(feed, keymap=keymap)
    async with app.run_test(size=(160, 80)) as pilot:
        for key, span in (("w", "5m"), ("W", "30m")):
            await pilot.press(key)
            assert feed.asked[-1].span == span
        assert "W window" in text_of(app.sheet.lines[-1])
        for key, page in (("question_mark", "overview"), ("f5", "help")):
            await pilot.press(key)
            assert app.page.name == page
        assert any(
            text_of(line).strip().startswith("W ") or "W             window" in text_of(line)
            for line in app.sheet.lines
        )
        await pilot.press("escape", "ctrl+k", *"window")
        row = next(text_of(line) for line in app.sheet.lines if "▸ window" in text_of(line))
        assert row.split()[-1] == "W"


@pytest.mark.parametrize("place", EVERYWHERE)
def test_the_help_tells_every_action_whole_in_one_group_each_at_80_columns(place: Place) -> None:
    lines = [text_of(line).rstrip() for line in help_body(place, 75)]
    assert not any("…" in line for line in lines)
    titles = [line for line in lines if line and not line.startswith(" ")]
    assert len(titles) == len(set(titles))
    told = " ".join(" ".join(lines).split())
    for action in available(place):
        assert f"{action.label} {action.help}" in told
        assert f"  {written(action.keys).split()[0]} " in " ".join(lines)
