"""The pictures of the documentation: drawn from cells, readable anywhere, small."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def svg_cells(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS))
    import importlib

    module = importlib.import_module("svg_cells")
    monkeypatch.delitem(sys.modules, "svg_cells")
    return module


def test_words_stand_in_their_columns_and_signs_are_drawn(svg_cells: ModuleType) -> None:
    line = [svg_cells.Cell(char, "#eeeeee", "#101418", bold=False) for char in "▲ a<b  ⠁█"]
    root = ET.fromstring(svg_cells.svg([line]))
    words = root.findall(f"{SVG}text")
    assert [word.text for word in words] == ["a<b"]
    assert float(words[0].attrib["x"]) == pytest.approx(svg_cells.PAD + 2 * svg_cells.W)
    assert len(root.findall(f"{SVG}path")) == 2


def test_the_picture_of_the_readme_is_there_and_small() -> None:
    picture = DOCS / "overview.svg"
    assert picture.stat().st_size < 200_000
    said = {word.text for word in ET.parse(picture).iter(f"{SVG}text")}
    assert {"voicetop", "DEGRADED", "LIVE"} <= said
