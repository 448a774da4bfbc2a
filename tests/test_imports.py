"""The rooms stand on each other in one order, and each costs only what it says: by contract and by run."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
HEAVY = {"numpy", "textual", "rich", "plyer", "sortedcontainers", "pipecat"}


def loaded_by(*modules: str) -> set[str]:
    """The top-level modules in a fresh interpreter after importing these."""
    script = f"import sys, {', '.join(modules)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_contracts_between_the_rooms_are_kept() -> None:
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def module_files() -> dict[str, Path]:
    """Every module of voicetop by its dotted name."""
    files = (SRC / "voicetop").rglob("*.py")
    return {
        ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
    }


def imported_by(text: str, modules: set[str]) -> Iterator[str]:
    """The modules that a module's text imports anywhere: in functions and under TYPE_CHECKING too.

    `from package import module` imports that module and not the whole package.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else node.module


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """One circle of the graph, its first module repeated at the end; empty where there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_itself_over_others() -> None:
    files = module_files()
    graph = {name: {*imported_by(path.read_text(), {*files})} - {name} for name, path in files.items()}
    circles = []
    while circle := circle_in(graph):
        circles.append(" <- ".join(circle))
        for importer, imported in zip(circle[1:], circle, strict=False):
            graph[importer].discard(imported)
    assert not circles, "\n".join(circles)


def test_late_and_type_only_imports_count_as_imports() -> None:
    text = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from a.b import C\n"
        "def f():\n    from a import d, e\n    import a.g\n"
    )
    assert {*imported_by(text, {"a", "a.b", "a.d", "a.g"})} == {"a", "a.b", "a.d", "a.g"}
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert not circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_the_wire_needs_msgspec_and_nothing_else() -> None:
    loaded = loaded_by("voicetop.wire.codec", "voicetop.wire.frames")
    assert "msgspec" in loaded
    assert not loaded & (HEAVY | {"websockets", "asyncio", "logging", "random"} - loaded_by("msgspec"))


def test_publishing_costs_an_agent_websockets_and_msgspec_only() -> None:
    loaded = loaded_by("voicetop.publish")
    assert not loaded & HEAVY
    known = loaded_by("websockets.asyncio.client", "msgspec", "asyncio") | {"voicetop"}
    foreign = {name for name in loaded - known if name not in sys.stdlib_module_names}
    assert not foreign


def test_the_package_itself_loads_nothing_until_a_name_is_used() -> None:
    assert not loaded_by("voicetop") & (HEAVY | {"msgspec", "websockets", "asyncio"})


def test_serving_needs_no_screen() -> None:
    assert not loaded_by("voicetop.hub.server", "voicetop.sources.socket") & {"textual", "rich", "plyer"}


def test_the_package_is_typed_and_its_public_names_exist() -> None:
    import voicetop

    assert (Path(voicetop.__file__).parent / "py.typed").exists()
    for name in voicetop.__all__:
        assert getattr(voicetop, name)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = voicetop.Nothing
