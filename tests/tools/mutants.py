"""Seeded mutation testing: small faults put into the code one at a time, each of which some test has to notice.

    pip install pytest-cov && python tests/tools/mutants.py --count 200 --seed 8

It copies the checkout, measures once which tests reach which line, then for each mutant runs the tests that reach its
line until one fails; a mutant that no test reaches has survived. What survives is printed with its place; nothing in
the checkout itself is changed.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("engine", "alerts", "replay", "hub")
TESTS = ("engine", "alerts", "views", "replay", "hub", "notify", "test_session.py", "test_live.py")
TIMEOUT_S = 300.0
NOT_FOUND = 4
"""Exit code of pytest where a test that was named isn't there."""
MOST_TESTS = 60
"""Tests run against one mutant; those of the module's own test file first."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip


class Mutant(NamedTuple):
    """A change of one expression or statement of a file: `old` in lines `line` to `end` becomes `new`."""

    path: str
    line: int
    column: int
    end: int
    end_column: int
    old: str
    new: str


def mutants_of(path: str, text: str) -> Iterator[Mutant]:
    """Every mutant of a module. Type hints, docstrings and text are left alone: no test can tell of them."""
    tree = ast.parse(text)
    hints = {
        id(inner)
        for node in ast.walk(tree)
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if hint is not None
        for inner in ast.walk(hint)
    }
    for node in ast.walk(tree):
        if id(node) in hints:
            continue
        for new in _replacements(node):
            assert isinstance(node, ast.expr | ast.stmt)
            old = ast.get_source_segment(text, node) or ""
            yield Mutant(
                path, node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0, old, new
            )


def _replacements(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
            yield f"({ast.unparse(ast.Compare(left, [COMPARISONS[type(op)]()], [right]))})"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS and not _is_text(node):
            yield f"({ast.unparse(ast.BinOp(left, OPERATORS[type(op)](), right))})"
        case ast.BoolOp(op=op, values=values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"({ast.unparse(ast.BoolOp(other, values))})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"({ast.unparse(operand)})"
        case ast.Constant(value=bool(value)):
            yield str(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield repr(value + 1)
        case ast.AugAssign() | ast.Expr(value=ast.Call()) | ast.Continue() | ast.Break():
            yield "pass"
        case ast.Return(value=ast.expr()) if not isinstance(node.value, ast.Constant):
            yield "return None"


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(side, ast.JoinedStr)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str | bytes))
        for side in (node.left, node.right)
    )


def mutated(text: str, mutant: Mutant) -> str:
    """The module with this fault. Columns are in bytes, as `ast` counts them."""
    lines = text.encode().splitlines(keepends=True)
    first, last = lines[mutant.line - 1], lines[mutant.end - 1]
    middle = first[: mutant.column] + mutant.new.encode() + last[mutant.end_column :]
    return b"".join([*lines[: mutant.line - 1], middle, *lines[mutant.end :]]).decode()


def chosen(count: int, seed: int, rooms: list[str]) -> list[Mutant]:
    """So many mutants, spread over the files by their size."""
    found = [
        mutant
        for room in rooms
        for path in sorted((ROOT / "src" / "voicetop" / room).rglob("*.py"))
        for mutant in mutants_of(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    ]
    return random.Random(seed).sample(found, min(count, len(found)))


def copied(folder: Path) -> Path:
    """A copy of the checkout's files, as they are."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, names):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    return folder


def pytest(copy: Path, arguments: list[str], timeout: float) -> int:
    """The exit code of pytest in a copy of the checkout; 1 where it takes too long: a hang is noticed too."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments]
    try:
        return subprocess.run(
            command, cwd=copy, env=_environment(copy), capture_output=True, timeout=timeout, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return 1


def _environment(copy: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


def measured(copy: Path, jobs: int) -> dict[tuple[str, int], list[str]]:
    """By (file, line), the tests that reach it."""
    (copy / ".coveragerc").write_text("[run]\nsource = src/voicetop\nrelative_files = true\n")
    arguments = [
        *(f"tests/{name}" for name in TESTS),
        "-n",
        str(jobs),
        "--cov",
        "--cov-context=test",
        "--cov-report=",
    ]
    if code := pytest(copy, arguments, 3600):
        raise SystemExit(f"the tests fail without a mutant (pytest exited with {code}): mend them first")
    reached: dict[tuple[str, int], list[str]] = defaultdict(list)
    from coverage.numbits import numbits_to_nums

    with sqlite3.connect(copy / ".coverage") as data:
        rows = data.execute(
            "SELECT file.path, context.context, line_bits.numbits FROM line_bits"
            " JOIN file ON file.id = line_bits.file_id JOIN context ON context.id = line_bits.context_id"
        )
        for path, context, bits in rows:
            if context.endswith("|run"):
                for line in numbits_to_nums(bits):
                    reached[path, line].append(context.removesuffix("|run"))
    return reached


def tests_for(mutant: Mutant, reached: dict[tuple[str, int], list[str]]) -> list[str]:
    """The tests that reach a mutant, those of its own test file first.

    What runs at import is reached by no test in particular: then those that reach anything else in the file.
    """
    own = f"/test_{Path(mutant.path).stem}.py"
    lines = range(mutant.line, mutant.end + 1)
    tests = {test for line in lines for test in reached.get((mutant.path, line), [])}
    tests = tests or {test for (path, _), names in reached.items() if path == mutant.path for test in names}
    ranked = sorted(tests, key=lambda name: (own not in name, name))
    mine = [name for name in ranked if own in name][: MOST_TESTS // 2]
    others = [name for name in ranked if name not in mine]
    return [*mine, *others[:: max(1, len(others) // (MOST_TESTS - len(mine)))]]


def killed(copy: Path, mutant: Mutant, tests: list[str]) -> bool:
    """Whether a test notices this mutant, put into this copy and taken out again."""
    path = copy / mutant.path
    text = path.read_text(encoding="utf-8")
    path.write_text(mutated(text, mutant), encoding="utf-8")
    try:
        code = pytest(copy, ["-n", "0", "--timeout", "60", *tests], TIMEOUT_S)
        if code == NOT_FOUND:  # a parameter's name that can't be typed: then all tests of these files
            files = dict.fromkeys(test.partition("::")[0] for test in tests)
            code = pytest(copy, ["-n", "0", "--timeout", "60", *files], TIMEOUT_S)
        return code != 0
    finally:
        path.write_text(text, encoding="utf-8")


def main() -> None:
    """Measure, mutate, report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rooms", nargs="+", default=list(ROOMS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.jobs):
            copies.put(copied(Path(folder) / str(number)))
        reached = measured(Path(folder) / "0", options.jobs)
        mutants = chosen(options.count, options.seed, options.rooms)
        print(f"{len(mutants)} mutants of seed {options.seed} in {', '.join(options.rooms)}", flush=True)

        def judge(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                tests = tests_for(mutant, reached)
                noticed = bool(tests) and killed(copy, mutant, tests)
            finally:
                copies.put(copy)
            if not noticed:
                print(f"survived: {mutant.path}:{mutant.line}  {mutant.old!r} -> {mutant.new!r}", flush=True)
            return noticed

        with ThreadPoolExecutor(options.jobs) as pool:
            noticed = sum(pool.map(judge, mutants))
    print(f"killed {noticed} of {len(mutants)}: {100 * noticed / max(1, len(mutants)):.0f} %")


if __name__ == "__main__":
    main()
