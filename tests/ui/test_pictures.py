"""Pictures of screens and panels: as they look, whatever they say, as files in one folder."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from textual.pilot import Pilot

from ui import synthetic
from ui.fake_feed import FakeFeed
from voicetop.ui import pictures
from voicetop.ui.app import ConsoleApp
from voicetop.ui.lines import Line
from voicetop.ui.style import theme
from voicetop.ui.svg import PAD, Cell, W, picture, svg

SVG = "{http://www.w3.org/2000/svg}"
PNG = b"\x89PNG\r\n\x1a\n"
DARK = theme.load("voicetop")


def words(drawn: str) -> list[str]:
    return [word.text or "" for word in ET.fromstring(drawn).iter(f"{SVG}text")]


def test_words_stand_in_their_columns_and_signs_are_drawn() -> None:
    root = ET.fromstring(svg([[Cell(char, "#eeeeee", "#101418", bold=False) for char in "▲ a<b  ⠁█"]]))
    found = root.findall(f"{SVG}text")
    assert [word.text for word in found] == ["a<b"]
    assert float(found[0].attrib["x"]) == pytest.approx(PAD + 2 * W)
    assert len(root.findall(f"{SVG}path")) == 2


def test_wide_characters_and_marks_take_their_cells() -> None:
    [word] = ET.fromstring(picture([(("漢字e\u0301x", "text"),)], DARK)).iter(f"{SVG}text")
    assert word.text == "漢字e\u0301x"
    assert float(word.attrib["textLength"]) == pytest.approx(6 * W)


@pytest.mark.parametrize("name", theme.names())
def test_every_theme_has_a_ground_and_an_ink(name: str) -> None:
    drawn = picture(
        [(("much text, as is usual", "text"), (" bad ", "down"), ("chosen", "text+"))],
        theme.load(name).limited_to("none"),
    )
    root = ET.fromstring(drawn)
    grounds = [rect.attrib["fill"] for rect in root.iter(f"{SVG}rect")]
    inks = [word.attrib["fill"] for word in root.iter(f"{SVG}text")]
    assert all(colour.startswith("#") and len(colour) == 7 for colour in grounds + inks)
    assert grounds[0] not in inks[:1]


HOSTILE: tuple[Line, ...] = (
    (("</text><script>alert(1)</script>&amp;<![CDATA[ ]]>", "text"),),
    ((synthetic.HOSTILE, "text"), ("\x00\x08\ufffe\x1b[2J\x9b", "muted")),
    (("click", "accent\0https://evil.example/"),),
)


def test_nothing_that_a_feed_says_is_more_than_words() -> None:
    drawn = picture(HOSTILE, DARK, title="</title><script/>\x1b")
    kinds = {element.tag.removeprefix(SVG) for element in ET.fromstring(drawn).iter()}
    assert kinds <= {"svg", "title", "rect", "path", "text"}
    assert "evil.example" not in drawn
    assert all(char.isprintable() or char == "\n" for char in drawn)
    assert "</text><script>alert(1)</script>" in " ".join(words(drawn))


def test_ascii_screens_have_ascii_pictures() -> None:
    drawn = picture([(("P95 × 2 ─ ●", "text"),)], DARK, ascii_only=True)
    assert drawn.isascii()


# -- files ----------------------------------------------------------------------------------------------------------


async def test_a_picture_is_a_file_for_its_owner_named_by_its_moment(tmp_path: Path) -> None:
    drawn = picture(HOSTILE, DARK)
    saved = [await pictures.save(drawn, "overview", 1_760_000_000.0, tmp_path / "new") for _ in range(2)]
    assert [each.svg.name for each in saved if each.svg] == [
        "20251009T085320Z-overview.svg",
        "20251009T085320Z-overview-2.svg",
    ]
    for path in (tmp_path / "new").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    if shutil.which("rsvg-convert"):
        assert saved[0].png is not None
        assert saved[0].png.read_bytes().startswith(PNG)
        assert saved[0].why == ""


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setitem(__import__("sys").modules, "cairosvg", None)
    return folder


async def test_without_a_program_for_it_there_is_the_svg_and_what_to_install(
    no_programs: Path, tmp_path: Path
) -> None:
    saved = await pictures.save("<svg/>", "calls", 1.0, tmp_path)
    assert saved.png is None
    assert saved.best == saved.svg == tmp_path / "19700101T000001Z-calls.svg"
    assert saved.why == "no PNG: install rsvg-convert (librsvg2-bin), or pip install 'voicetop[png]'"


@pytest.mark.parametrize(
    ("script", "why"),
    [("exit 3", "no PNG: the converter wrote no file"), ("> $4; exit 1", "no PNG: rsvg-convert failed")],
)
async def test_a_program_that_fails_is_told(no_programs: Path, tmp_path: Path, script: str, why: str) -> None:
    program = no_programs / "rsvg-convert"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    saved = await pictures.save("<svg/>", "calls", 1.0, tmp_path)
    assert (saved.png, saved.why) == (None, why)


async def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    saved = await pictures.save("<svg/>", "calls", 1.0, tmp_path / "file" / "x")
    assert saved.best is None
    assert saved.why == f"cannot write a picture to {tmp_path}/file/x: Not a directory"


# -- the box --------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("voicetop.ui.terminal.app.send", lambda *_: None)
    monkeypatch.delenv("TMUX", raising=False)
    return tmp_path / "voicetop" / "pictures"


def drawn_in(folder: Path, name: str) -> str:
    """The only picture there of that name."""
    [drawn] = [path.read_text() for path in folder.glob(name)]
    return drawn


async def said(pilot: Pilot[None], text: str) -> str:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    async with asyncio.timeout(60):
        while text not in app.message:
            await pilot.pause(0.02)
    return app.message


async def test_a_key_in_the_copy_box_pictures_the_screen_without_the_box(folder: Path) -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("y", "i")
        assert str(folder) in await said(pilot, "picture in")
    drawn = drawn_in(folder, "*-overview.svg")
    told = " ".join(words(drawn))
    assert "DEGRADED" in told
    assert "its key copies" not in told


async def test_the_focused_panel_is_a_picture_of_its_own(folder: Path) -> None:
    app = ConsoleApp(FakeFeed())
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("y", "I")
        assert "nothing to copy here" in await said(pilot, "nothing")
        await pilot.press("escape", "tab", "y", "I")
        await said(pilot, "picture in")
        assert not app.page.large  # type: ignore[attr-defined]
    drawn = drawn_in(folder, "*-overview-panel.svg")
    assert "DEGRADED" not in drawn
    assert "response" in drawn
    assert " ".join(words(drawn)).endswith("14:07:32 UTC")


async def test_a_console_without_colours_has_pictures_with_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = ConsoleApp(FakeFeed(), ascii=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("y", "i")
        await said(pilot, "picture in")
    drawn = drawn_in(folder, "*.svg")
    inks = {word.attrib["fill"] for word in ET.fromstring(drawn).iter(f"{SVG}text")}
    assert len(inks) > 3
    assert os.environ["NO_COLOR"]
