"""Links by OSC 8, from the URL templates of the config: `[links] trace = "https://traces.example.com/{trace_id}"`.

The URL comes from the user's config; values from the feed are only inserted percent-encoded, so that no event can put
its own link on the screen.
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
    """A link to a call in another tool."""

    name: str
    url: str


def linked(tone: str, url: str) -> str:
    """A tone whose text links to `url`."""
    return f"{tone}{LINK}{url}" if is_address(url) else tone


def is_address(url: str) -> bool:
    """Whether a URL is safe in an escape sequence: printable ASCII without spaces, and not too long."""
    return bool(url) and len(url) <= MAX_URL and all("!" <= char <= "~" for char in url)


def links_of(detail: CallDetail, templates: Mapping[str, str]) -> list[Hyperlink]:
    """The links of one call. Links with a field that the call lacks are left out."""
    fields = {"trace_id": detail.trace_id, "call_id": detail.row.call_id, "source": detail.source}
    links = []
    for name, template in templates.items():
        needed = [field for field in FIELDS if f"{{{field}}}" in template]
        if template and all(fields[field] for field in needed):
            url = template
            for field in needed:
                url = url.replace(f"{{{field}}}", quote(fields[field], safe=""))
            if is_address(url):
                links.append(Hyperlink(name, url))
    return links
