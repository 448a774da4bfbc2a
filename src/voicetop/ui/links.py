"""Links by OSC 8, from the URL templates of the config: `[links] trace = "https://traces.example.com/{trace_id}"`.

The address comes from the person's own config; what a feed says goes into it percent-encoded and nowhere else, so
that no event can put a link of its own on the screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from voicetop.engine.snapshot import CallDetail
from voicetop.ui.lines import LINK

FIELDS = ("trace_id", "call_id", "source")
MAX_URL = 2_000


class Hyperlink(NamedTuple):
    """Where a call can be looked at elsewhere."""

    name: str
    url: str


def linked(tone: str, url: str) -> str:
    """A tone whose text leads to `url`."""
    return f"{tone}{LINK}{url}" if is_address(url) else tone


def is_address(url: str) -> bool:
    """Whether this may be written into an escape sequence: printable ASCII without spaces, and not too long."""
    return bool(url) and len(url) <= MAX_URL and all("!" <= char <= "~" for char in url)


def links_of(detail: CallDetail, templates: Mapping[str, str]) -> list[Hyperlink]:
    """The links of one call. One that needs a trace is left out where the call has none."""
    known = {"trace_id": detail.trace_id, "call_id": detail.row.call_id, "source": detail.source}
    found = []
    for name, template in templates.items():
        needed = [field for field in FIELDS if f"{{{field}}}" in template]
        if template and all(known[field] for field in needed):
            url = template
            for field in needed:
                url = url.replace(f"{{{field}}}", quote(known[field], safe=""))
            if is_address(url):
                found.append(Hyperlink(name, url))
    return found
