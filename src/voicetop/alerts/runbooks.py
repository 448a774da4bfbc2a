"""Runbooks: Markdown with a title and numbered items. An item may link to a panel with live values.

    # Replies fail
    What this means, in a line or two.

    1. **Provider status.** Is it theirs? [calls that fail](panel:calls?filter=errors>0)
    2. **Stage latency.** Which stage grew? [latency](panel:latency)

An item's panel link has the address `panel:NAME` (see `PANELS`), with `filter=` for the list of calls (`+` is a space),
`by=` for the dimension of Segments, `everybody` to not narrow it to the incident's segment. The file stays plain
Markdown for other readers.

Runbooks are NAME.md in the config folder's `rules`, else those shipped with voicetop. Files are read on demand, never
by the core.
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
"""Panels that an item may link to, with the screen of each."""

_ALIASES = {"mood": "sentiment"}
"""Aliases of panels."""

SHIPPED = Path(__file__).with_name("shipped")
MAX_STEPS, MAX_BYTES = 99, 200_000
_STEP = re.compile(r"\s{0,3}(\d{1,3})[.)]\s+(.*)")
_LINK = re.compile(r"\[([^\]]*)\]\(<?([^)\s>]*>?[^)\s]*?)>?\)")
_NAME = re.compile(r"[\w][\w.-]*")


class RunbookLink(Struct, frozen=True):
    """An item's link to a panel: call `filter`, dimension (`by`), narrowed to the incident's segment or not."""

    panel: str
    label: str = ""
    filter: str = ""
    by: str = ""
    everybody: bool = False


class RunbookItem(Struct, frozen=True):
    """One item; `title` is its leading bold text."""

    number: int
    title: str
    text: str
    door: RunbookLink | None = None


class Runbook(Struct, frozen=True):
    """`why` is a line on why it isn't the requested one, or has no items. `path` is its file."""

    name: str
    title: str = ""
    intro: str = ""
    steps: tuple[RunbookItem, ...] = ()
    path: str = ""
    why: str = ""


class RunbookLibrary:
    """Finds runbooks by name, the user's own first; each is read once."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._folders = (*folders, SHIPPED)
        self._read: dict[str, Runbook] = {}

    def find(self, name: str, instead: str = "") -> Runbook:
        """The runbook of that name; if there is none, the one named `instead`, with the reason in `why`."""
        if name not in self._read:
            self._read[name] = self._load(name)
        runbook = self._read[name]
        if not runbook.why or runbook.path or not instead or instead == name:
            return runbook
        return replace(self.find(instead), why=f"{runbook.why}; showing that of {instead} until then")

    def _load(self, name: str) -> Runbook:
        if not _NAME.fullmatch(name):
            return Runbook(
                name, why=f"{safe_label(name)!r} is not a valid runbook name: use letters, digits, . _ -"
            )
        for folder in self._folders:
            path = folder / f"{name}.md"
            try:
                if path.is_file():
                    text = path.read_bytes()[:MAX_BYTES].decode("utf-8-sig")
                    return parse(text, name, str(path))
            except (OSError, UnicodeDecodeError) as error:
                return Runbook(name, path=str(path), why=f"{path}: cannot be read: {_why(error)}")
        return Runbook(name, why=f"no runbook {name!r} yet: write {self._folders[0] / (name + '.md')}")


def parse(text: str, name: str, path: str = "") -> Runbook:
    """Parse a runbook from Markdown."""
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
    items = tuple(_step(number, " ".join(words)) for number, words in enumerate(steps[:MAX_STEPS], 1))
    why = "" if items else f"{path or name}: has no items: begin a line with 1."
    return Runbook(name, _plain(title) or name, _plain(" ".join(intro)), items, path, why)


def mistakes(runbook: Runbook) -> list[str]:
    """Problems of a runbook: links to unknown panels, missing items."""
    if runbook.why:
        return [runbook.why]
    problems = []
    for step in runbook.steps:
        if step.door is not None and step.door.panel not in PANELS:
            hint = nearest(step.door.panel, PANELS)
            problems.append(f"{runbook.path}: item {step.number} leads to {step.door.panel!r}{hint}")
    return problems


def _step(number: int, text: str) -> RunbookItem:
    door = None
    for link in _LINK.finditer(text):
        if link[2].startswith("panel:"):
            door = _parse_link(link[2].removeprefix("panel:"), _plain(link[1]))
            text = text.replace(link[0], "").strip()
            break
    bold = re.match(r"\*\*(.+?)\*\*[:.]?\s*(.*)", text, re.DOTALL)
    title, rest = (bold[1].rstrip(".:"), bold[2]) if bold else ("", text)
    return RunbookItem(number, _plain(title), _plain(rest), door)


def _parse_link(address: str, label: str) -> RunbookLink:
    """`calls?filter=errors>0+language:es&everybody`."""
    panel, _, query = address.partition("?")
    panel = _ALIASES.get(panel, panel)
    params = dict(part.partition("=")[::2] for part in query.split("&") if part)
    return RunbookLink(
        safe_label(panel),
        label,
        safe_label(unquote_plus(params.get("filter", ""))),
        safe_label(unquote_plus(params.get("by", ""))),
        everybody="everybody" in params,
    )


def _plain(text: str) -> str:
    """Markdown as plain text: links as label and address, no emphasis, no control characters."""
    text = _LINK.sub(lambda link: f"{link[1]} ({link[2]})" if link[2] != link[1] else link[1], text)
    return safe_text(re.sub(r"(\*\*|__|`)", "", text)).strip()


def _why(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8"
