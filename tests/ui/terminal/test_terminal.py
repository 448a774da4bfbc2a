"""Textual's private parts are touched in `ui/terminal` and nowhere else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.driver import Driver
from textual.screen import Screen
from textual.widget import Widget

import voicetop
from ui.fake_feed import FakeFeed
from voicetop.ui.app import ConsoleApp

SOURCES = Path(voicetop.__file__).parent
OUTSIDE = sorted(path for path in SOURCES.rglob("*.py") if path.parent != SOURCES / "ui" / "terminal")
LIBRARIES = ("textual", "rich")


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def imports(tree: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """(module, names) of what is imported, late imports too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)


def may_hold_textual_s(tree: ast.AST) -> bool:
    """Whether a module may hold an object of Textual's: it imports Textual, or the app."""
    return any(
        module.split(".")[0] == "textual" or module in ("voicetop.ui.app", "voicetop.ui.terminal.app")
        for module, _ in imports(tree)
    )


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(SOURCES)))
def test_nothing_outside_the_terminal_room_touches_what_textual_keeps_private(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for module, names in imports(tree):
        if module.split(".")[0] in LIBRARIES:
            assert not [part for part in (*module.split("."), *names) if private(part)], module
    if may_hold_textual_s(tree):
        app = App[None]()
        theirs = {name for kind in (App, Screen, Widget, Driver) for name in dir(kind)} | set(vars(app))
        touched = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not {name for name in touched | defined if private(name)} & theirs


def test_the_console_hides_no_attribute_of_textual_s() -> None:
    own = set(vars(ConsoleApp(FakeFeed()))) - set(vars(App[None]()))
    assert not own & set(dir(App))
