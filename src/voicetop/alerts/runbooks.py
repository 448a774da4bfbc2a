"""Runbooks: Markdown, a title and numbered steps. A step may lead to a panel, where the live values are.

    # Replies fail
    What this means, in a line or two.

    1. **Provider status.** Is it theirs? [calls that fail](panel:calls?filter=errors>0)
    2. **Stage latency.** Which stage grew? [latency](panel:latency)

A step's door is a link whose address is `panel:NAME`, with `filter=` for the list of calls (`+` is a space), `by=`
for the dimension of Segments, `everybody` where it shall not be narrowed to what the incident is about. The panels are
those of `PANELS`. It stays plain Markdown for whoever reads it elsewhere.

They lie beside the rules: NAME.md in the config folder's `rules`, else what ships with voicetop. This module reads a
file only when asked for it; the core never does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote_plus

from msgspec import Struct
from msgspec.structs import replace

from voicetop.errors import nearest
from voicetop.wire.text import safe_label, safe_text

PANELS: dict[str, str] = {
    "overview": "overview",
    "capacity": "overview",
    "latency": "overview",
    "errors": "overview",
    "success": "overview",
    "escalation": "overview",
    "abandonment": "overview",
    "cost": "overview",
    "sentiment": "overview",
    "calls": "calls",
    "segments": "segments",
    "trends": "trends",
    "markers": "trends",
}
"""The panels that a step may name, and the screen on which each is."""

_ALIASES = {"mood": "sentiment"}
"""Other names of panels that runbooks may use."""

SHIPPED = Path(__file__).with_name("shipped")
MOST_STEPS, MOST_BYTES = 99, 200_000
_STEP = re.compile(r"\s{0,3}(\d{1,3})[.)]\s+(.*)")
_LINK = re.compile(r"\[([^\]]*)\]\(<?([^)\s>]*>?[^)\s]*?)>?\)")
_NAME = re.compile(r"[\w][\w.-]*")


class RunbookLink(Struct, frozen=True):
    """Where a step leads: a panel, calls that pass `filter`, a dimension; narrowed to the incident's segment or not."""

    panel: str
    label: str = ""
    filter: str = ""
    by: str = ""
    everybody: bool = False


class RunbookItem(Struct, frozen=True):
    """One step. `title` is what stands bold at its beginning."""

    number: int
    title: str
    text: str
    door: RunbookLink | None = None


class Runbook(Struct, frozen=True):
    """`why` says in a line why it isn't the one that was wanted, or has no steps. `path` is where it was read."""

    name: str
    title: str = ""
    intro: str = ""
    steps: tuple[RunbookItem, ...] = ()
    path: str = ""
    why: str = ""


class RunbookLibrary:
    """Where runbooks are found by name, the person's own first; each is read once."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._folders = (*folders, SHIPPED)
        self._read: dict[str, Runbook] = {}

    def find(self, name: str, instead: str = "") -> Runbook:
        """The runbook of that name; where there is none, one that says so in a line, with the steps of `instead`."""
        if name not in self._read:
            self._read[name] = self._look(name)
        found = self._read[name]
        if not found.why or found.path or not instead or instead == name:
            return found
        return replace(self.find(instead), why=f"{found.why}; showing that of {instead} until then")

    def _look(self, name: str) -> Runbook:
        if not _NAME.fullmatch(name):
            return Runbook(
                name, why=f"{safe_label(name)!r} is not a valid runbook name: use letters, digits, . _ -"
            )
        for folder in self._folders:
            path = folder / f"{name}.md"
            try:
                if path.is_file():
                    text = path.read_bytes()[:MOST_BYTES].decode("utf-8")
                    return parse(text, name, str(path))
            except (OSError, UnicodeDecodeError) as error:
                return Runbook(name, path=str(path), why=f"{path}: cannot be read: {_why(error)}")
        return Runbook(name, why=f"no runbook {name!r} yet: write {self._folders[0] / (name + '.md')}")


def parse(text: str, name: str, path: str = "") -> Runbook:
    """The runbook that a Markdown text says."""
    title, intro, steps = "", [], []
    for line in text.splitlines():
        numbered = _STEP.match(line)
        if numbered:
            steps.append([numbered[2]])
        elif line.startswith("#"):
            title = title or line.lstrip("# ")
        elif steps and line.startswith((" ", "\t")) and line.strip():
            steps[-1].append(line.strip())
        elif not steps and line.strip():
            intro.append(line.strip())
    made = tuple(_step(number, " ".join(words)) for number, words in enumerate(steps[:MOST_STEPS], 1))
    why = "" if made else f"{path or name}: has no items: begin a line with 1."
    return Runbook(name, _plain(title) or name, _plain(" ".join(intro)), made, path, why)


def mistakes(runbook: Runbook) -> list[str]:
    """What a check has to say of a runbook: doors that lead nowhere, steps that are missing."""
    if runbook.why:
        return [runbook.why]
    found = []
    for step in runbook.steps:
        if step.door is not None and step.door.panel not in PANELS:
            hint = nearest(step.door.panel, PANELS)
            found.append(f"{runbook.path}: item {step.number} leads to {step.door.panel!r}{hint}")
    return found


def _step(number: int, text: str) -> RunbookItem:
    door = None
    for link in _LINK.finditer(text):
        if link[2].startswith("panel:"):
            door = _door(link[2].removeprefix("panel:"), _plain(link[1]))
            text = text.replace(link[0], "").strip()
            break
    bold = re.match(r"\*\*(.+?)\*\*[:.]?\s*(.*)", text, re.DOTALL)
    title, rest = (bold[1].rstrip(".:"), bold[2]) if bold else ("", text)
    return RunbookItem(number, _plain(title), _plain(rest), door)


def _door(address: str, label: str) -> RunbookLink:
    """`calls?filter=errors>0+language:es&everybody`."""
    panel, _, query = address.partition("?")
    panel = _ALIASES.get(panel, panel)
    told = dict(part.partition("=")[::2] for part in query.split("&") if part)
    return RunbookLink(
        safe_label(panel),
        label,
        safe_label(unquote_plus(told.get("filter", ""))),
        safe_label(unquote_plus(told.get("by", ""))),
        everybody="everybody" in told,
    )


def _plain(text: str) -> str:
    """Markdown as a terminal shows it: links as label and address, no emphasis, nothing that could do anything."""
    text = _LINK.sub(lambda link: f"{link[1]} ({link[2]})" if link[2] != link[1] else link[1], text)
    return safe_text(re.sub(r"(\*\*|__|`)", "", text)).strip()


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8"
