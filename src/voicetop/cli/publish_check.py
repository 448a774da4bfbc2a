"""`voicetop publish --check FILE`: finds what would make a feed useless, without a hub."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from voicetop.cli.findings import Finding, written
from voicetop.errors import UsageError
from voicetop.formatting.numbers import counted
from voicetop.publish.json_lines import InvalidLine, JsonLine, JsonLines
from voicetop.wire.feed_lint import FeedLint

CHUNK = 64 * 1024


def check(file: int, name: str) -> int:
    """Print what is wrong with the events in `file`, an open file descriptor: 1 if something has to be fixed."""
    lint, lines = FeedLint(), JsonLines(as_they_are=True)
    for chunk in _chunks(file):
        _take(lint, lines.feed(chunk))
    _take(lint, lines.end())
    findings = findings_of(lint)
    if not findings:
        findings = [
            Finding("ok", "", f"{counted(lint.of['event'], 'event')} of {counted(lint.of['call'], 'call')}")
        ]
    print("\n".join(written(name, findings)))
    problems = sum(finding.level == "FIX" for finding in findings)
    print(f"{counted(problems, 'problem')} found." if problems else "No problems found.")
    return 1 if problems else 0


def findings_of(lint: FeedLint) -> list[Finding]:
    """What a lint found, for a report."""
    return [Finding(finding.level, "", finding.text, finding.remedy) for finding in lint.findings()]


def _take(lint: FeedLint, lines: Iterable[JsonLine | InvalidLine]) -> None:
    for line in lines:
        if isinstance(line, InvalidLine):
            lint.refuse(line.why, f"line {line.number:,}")
        else:
            if line.why:
                lint.mend(line.why, f"line {line.number:,}", line.remedy)
            lint.raw(line.raw)


def _chunks(file: int) -> Iterator[bytes]:
    try:
        while chunk := os.read(file, CHUNK):
            yield chunk
    except OSError as error:
        raise UsageError(f"cannot read further: {error.strerror}") from None
