"""Saves a screen or panel as picture files: an SVG, and a PNG if a converter is installed.

Only their owner can read them, since they may show what callers said.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from voicetop.formatting import times
from voicetop.formatting.numbers import known
from voicetop.locations import pictures_dir
from voicetop.ui.terminal.programs import run_program

TIMEOUT_S = 15.0
MOST = 1000
PROGRAMS = {
    "rsvg-convert": ("rsvg-convert", "--zoom", "2", "--output", "{png}", "{svg}"),
    "resvg": ("resvg", "--zoom", "2", "{svg}", "{png}"),
}
"""Programs that convert SVG to PNG, with their command lines."""
REMEDY = "no PNG: install rsvg-convert (librsvg2-bin), or pip install 'voicetop[png]'"


class SavedPicture(NamedTuple):
    """The files that were written; `why` says why one is missing."""

    svg: Path | None
    png: Path | None
    why: str = ""

    @property
    def best(self) -> Path | None:
        """The PNG, else the SVG."""
        return self.png or self.svg


async def save(svg: str, name: str, at: float, folder: Path | None = None) -> SavedPicture:
    """Save the picture of a screen of time `at` (epoch s), without overwriting older ones."""
    stamp = times.file_stamp(at) if known(at) else "before"
    try:
        path = _write(svg.encode(), folder or pictures_dir(), f"{stamp}-{name}")
    except OSError as error:
        return SavedPicture(
            None, None, f"cannot write a picture to {folder or pictures_dir()}: {error.strerror}"
        )
    png = path.with_suffix(".png")
    why = await _convert(path, png)
    return SavedPicture(path, None if why else png, why)


def shown(path: Path) -> str:
    """A path with "~" for the home folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _write(data: bytes, folder: Path, stem: str) -> Path:
    """Create a file of this name, or of the next free one. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _names(stem):
        try:
            fd = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        return folder / name
    raise FileExistsError(17, f"there are already {MOST} pictures of this moment")


def _names(stem: str) -> Iterator[str]:
    yield f"{stem}.svg"
    for number in range(2, MOST + 1):
        yield f"{stem}-{number}.svg"


async def _convert(svg: Path, png: Path) -> str:
    """Make the PNG; returns "" or why it failed."""
    for program, words in PROGRAMS.items():
        if shutil.which(program):
            return await _run([word.format(svg=svg, png=png) for word in words], png)
    return await asyncio.to_thread(_by_cairo, svg, png)


async def _run(words: list[str], png: Path) -> str:
    try:
        failed = await run_program(words, timeout_s=TIMEOUT_S)
    except OSError as error:
        return f"no PNG: {words[0]} can't be run ({error.strerror})"
    return _finished(png) or (f"no PNG: {words[0]} failed" if failed else "")


def _by_cairo(svg: Path, png: Path) -> str:
    try:
        import cairosvg  # noqa: PLC0415 - an optional extra
    except (ImportError, OSError):  # OSError: the package is there, the library isn't
        return REMEDY
    try:
        cairosvg.svg2png(url=str(svg), write_to=str(png), scale=2)
    except Exception as error:  # noqa: BLE001 - whatever it can't draw, the SVG is there
        return f"no PNG: cairosvg failed ({type(error).__name__})"
    return _finished(png)


def _finished(png: Path) -> str:
    """Restrict the PNG to its owner; returns "" or why there is none."""
    try:
        png.chmod(0o600)
    except OSError:
        return "no PNG: the converter wrote no file"
    return ""
