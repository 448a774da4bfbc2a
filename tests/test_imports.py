"""The rooms stand on each other in one order, and each costs only what it says: by contract and by run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
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
