"""The size of what a reader has to hold in mind: files, functions and folders; and every room is in every contract."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src/voicetop"
MODULES = sorted(SRC.rglob("*.py"))
MOST_LINES, MOST_LINES_OF_A_FUNCTION, MOST_MODULES = 400, 60, 20
WIDE = {"ui/renderables", "cli"}
"""One module for each renderable and each verb: they may be more."""


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_too_long() -> None:
    long = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long[f"{path.relative_to(SRC)}:{node.name}"] = lines
    assert long == {}


def test_no_folder_holds_too_many_modules_side_by_side() -> None:
    folders = {path.parent for path in MODULES}
    counts = {
        folder.relative_to(SRC).as_posix(): sum(p.name != "__init__.py" for p in folder.glob("*.py"))
        for folder in folders
    }
    assert {name: n for name, n in counts.items() if n > MOST_MODULES and name not in WIDE} == {}


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("only ui paints", {"ui"}),
        ("only notify reaches out to people", {"notify"}),
        ("only hub serves HTTP", {"hub"}),
        ("only hub and adapters know OTLP", {"hub", "adapters"}),
    ],
)
def test_a_contract_of_only_one_room_lists_every_other_one(name: str, free: set[str]) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (sources,) = (set(contract["source_modules"]) for contract in contracts if contract["name"] == name)
    rooms = {path.stem for path in SRC.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sources == {f"voicetop.{room}" for room in rooms - free - {"__init__", "__main__"}}
