"""The pictures of the documentation: there, small, and what they should show."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_picture_of_the_readme_is_there_and_small() -> None:
    picture = DOCS / "overview.svg"
    assert picture.stat().st_size < 200_000
    said = {word.text for word in ET.parse(picture).iter(f"{SVG}text")}
    assert {"voicetop", "DEGRADED", "LIVE"} <= said
