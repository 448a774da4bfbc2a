"""Which columns of the table of calls a person has hidden, remembered between runs.

Kept in the state folder: losing it costs nothing, and a file that can't be read is as good as none.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path


class HiddenColumns:
    """The hidden columns, by title. Without a path nothing is remembered."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.hidden = _read(path) if path is not None else frozenset[str]()

    def toggle(self, title: str) -> None:
        """Hide it, or show it again."""
        self.hidden = self.hidden ^ {title}
        if self._path is not None:
            with contextlib.suppress(
                OSError
            ):  # a folder that can't be written costs the memory, not the screen
                _write(self._path, self.hidden)


def _read(path: Path) -> frozenset[str]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    hidden = told.get("hidden") if isinstance(told, dict) else None
    return (
        frozenset(title for title in hidden if isinstance(title, str))
        if isinstance(hidden, list)
        else frozenset()
    )


def _write(path: Path, hidden: Iterable[str]) -> None:
    """Whole or not at all: two consoles may remember at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"hidden": sorted(hidden)}) + "\n", encoding="utf-8")
    fresh.replace(path)
