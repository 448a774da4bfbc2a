"""The hidden columns of the call table, remembered between runs.

Stored in the state folder; an unreadable file is ignored.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path


class HiddenColumns:
    """The hidden columns, by title. Without a path they are not saved."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.hidden = _read(path) if path is not None else frozenset[str]()

    def toggle(self, title: str) -> None:
        """Hide a column, or show it again."""
        self.hidden = self.hidden ^ {title}
        if self._path is not None:
            with contextlib.suppress(OSError):  # not saved, but still in effect
                _write(self._path, self.hidden)


def _read(path: Path) -> frozenset[str]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    hidden = data.get("hidden") if isinstance(data, dict) else None
    return (
        frozenset(title for title in hidden if isinstance(title, str))
        if isinstance(hidden, list)
        else frozenset()
    )


def _write(path: Path, hidden: Iterable[str]) -> None:
    """Write atomically: two consoles may save at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"hidden": sorted(hidden)}) + "\n", encoding="utf-8")
    fresh.replace(path)
