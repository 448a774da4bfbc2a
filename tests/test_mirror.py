"""Who edits a module finds its tests by its name, or by that of its package."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent
SRC = TESTS.parent / "src" / "voicetop"
SMALL = 40
"""A module of so many lines, or fewer, may be tested along with others."""


def places_of(module: Path) -> list[Path]:
    """Where a module's tests may stand: a file of its name, or one of its package's, in it or beside it."""
    room = module.parent.relative_to(SRC)
    places = [room / f"test_{module.stem}.py"]
    if room.name:
        places += [room / f"test_{room.name}.py", room.parent / f"test_{room.name}.py"]
    return [TESTS / place for place in places]


def test_every_module_has_a_test_file_of_its_name_or_of_its_package() -> None:
    modules = [
        path
        for path in sorted(SRC.rglob("*.py"))
        if path.name != "__init__.py" and len(path.read_text(encoding="utf-8").splitlines()) > SMALL
    ]
    without = [
        str(path.relative_to(SRC)) for path in modules if not any(file.exists() for file in places_of(path))
    ]
    assert without == []
