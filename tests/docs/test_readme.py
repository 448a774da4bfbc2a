"""What the README promises in commands, code and links is there."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/protocol.md", "docs/notify.md"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_that_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text)]
    gone = [
        target
        for target in targets
        if ":" not in target and not (ROOT / page).parent.joinpath(target).exists()
    ]
    assert not gone


def test_the_two_commands_are_those_that_ci_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "\n    pip install . && voicetop demo\n" in README
    assert "\n    pip install -e '.[test]' && pytest\n" in README
    assert "{ pip install -e '.[test]' && pytest; }" in script


@pytest.mark.parametrize("page", PAGES)
def test_files_and_folders_of_the_code_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.(?:py|md|toml))?)`", text)
    assert named or page != "CONTRIBUTING.md"
    homes = (ROOT, ROOT / "src" / "voicetop")
    assert [name for name in named if not any((home / name).exists() for home in homes)] == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Pipecat imports
@pytest.mark.parametrize("snippet", SNIPPETS)
def test_the_names_that_the_snippets_import_exist(snippet: str) -> None:
    for node in ast.walk(ast.parse(snippet)):
        if isinstance(node, ast.ImportFrom) and node.module:
            if "pipecat" in node.module and importlib.util.find_spec("pipecat") is None:
                pytest.skip("Pipecat is not installed")
            module = importlib.import_module(node.module)
            assert all(hasattr(module, name.name) for name in node.names)


@pytest.mark.parametrize(
    "verb", sorted(set(re.findall(r"voicetop (demo|serve|publish|replay|simulate)\b", README)))
)
def test_the_options_that_the_readme_names_exist(verb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "voicetop", verb, "--help"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for command in re.findall(rf"voicetop {verb}([^`]*)`", README):
        assert all(option in done.stdout for option in re.findall(r"--[a-z-]+", command))


def test_the_license_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert text.rstrip().endswith("limitations under the License.")
