"""The document and the Structs say the same: every type, every field, its kind, whether it is needed, every limit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest

from voicetop.hub.config import HubConfig
from voicetop.hub.stamping import MAX_BATCH_BYTES
from voicetop.hub.validation import MAX_REFUSED
from voicetop.wire import values
from voicetop.wire.codec import MAX_FRAME
from voicetop.wire.duplicates import GENERATION
from voicetop.wire.events import EVENT_TYPES, Agent, AnyEvent, CallEvent, Durations, Event
from voicetop.wire.faults import MEANINGS
from voicetop.wire.frames import Hello, RawBatch, Welcome

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)`(\*?) \| (\w+) \| (.+) \|$", re.MULTILINE)
KINDS = {
    "name": values.Label,
    "text": values.Text,
    "time": values.Time,
    "ms": values.Milliseconds,
    "s": values.Seconds,
    "number": values.Number,
    "USD": values.Dollars,
    "count": values.Count,
    "index": values.Index,
    "segments": values.Segments,
    "base64": bytes,
}


def section(title: str) -> str:
    """What stands under one heading, up to the next."""
    found = re.search(rf"^### {re.escape(title)}\n(.*?)(?=^##)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found[1]


def rows(title: str) -> dict[str, tuple[bool, str, str]]:
    """Of a section's table: field → (needed, type, meaning)."""
    return {name: (bool(star), kind, meaning) for name, star, kind, meaning in ROW.findall(section(title))}


def has_bounds(hint: Any, meaning: str) -> bool:
    """Whether a number's narrower bounds are told with its meaning."""
    (meta,) = hint.__metadata__
    return hint.__origin__ is float and f"{meta.ge:,.10g} to {meta.le:,.10g}".replace("-", "−") in meaning


def own_fields(kind: type[msgspec.Struct]) -> dict[str, tuple[bool, Any]]:
    """Of a Struct: field → (needed, type), without what its envelope has."""
    base = next((base for base in (CallEvent, Event) if issubclass(kind, base) and kind is not base), None)
    inherited = set(base.__struct_fields__) if base else set()
    hints = get_type_hints(kind, include_extras=True)
    fields = msgspec.structs.fields(kind)
    return {f.name: (f.required, hints[f.name]) for f in fields if f.name not in inherited}


def same(title: str, kind: type[msgspec.Struct], *, but: frozenset[str] = frozenset()) -> None:
    told, real = rows(title), own_fields(kind)
    assert set(told) - but == set(real)
    for name, (needed, hint) in real.items():
        assert told[name][0] == needed, f"{title}.{name} is {'' if needed else 'not '}needed"
        _, word, meaning = told[name]
        if word == "bool":
            assert hint is bool or bool in hint.__args__
        elif word == "object":
            assert name in ("agent", "latency")
        else:
            special = hint == {"latency": float, "source.status": values.Number}.get(title)
            fits = KINDS[word] == hint or special or has_bounds(hint, meaning)
            assert fits, f"{title}.{name} is no {word}"


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_event_is_told_field_by_field(name: str) -> None:
    same(name, EVENT_TYPES[name])


def test_the_envelope_and_the_parts_are_told_too() -> None:
    same("envelope", Event, but=frozenset({"type"}))
    same("call events", CallEvent)
    same("agent", Agent)
    same("latency", Durations)


def test_nothing_is_told_that_is_not_there() -> None:
    part = DOCUMENT.split("\n## Events\n")[1].split("\n## What the words mean\n")[0]
    titles = set(re.findall(r"^### (.+)$", part, re.MULTILINE))
    assert titles == {*EVENT_TYPES, "envelope", "call events", "agent", "latency"}


def test_every_kind_of_bad_value_is_told() -> None:
    kinds = re.findall(r"^\| `(\w+)` \| \w[^|]+ \| \w[^|]+ \|$", section("Bad values"), re.MULTILINE)
    assert kinds == list(MEANINGS)


def test_durations_and_money_carry_their_units() -> None:
    for name in EVENT_TYPES:
        for field, (_, kind, _) in rows(name).items():
            assert (kind == "ms") == field.endswith("_ms")
            assert (kind == "USD") == field.endswith("_usd")
            assert (kind == "s") == field.endswith("_s")


def test_the_limits_are_those_of_the_code() -> None:
    limits = DOCUMENT.split("\n## Limits\n")[1]
    config = HubConfig()
    for figure in (
        f"{MAX_FRAME // 2**20} MiB",
        f"{MAX_BATCH_BYTES // 2**10} KiB",
        f"{values.MAX_LABEL} characters",
        f"{values.MAX_TEXT:,} characters",
        f"{values.MAX_SEGMENTS} |",
        f"{MAX_REFUSED:,} |",
        f"{config.max_publishers:,} and {config.max_consoles:,}",
        f"within {config.hello_s:g} seconds",
    ):
        assert figure in limits
    assert f"{GENERATION:,}" in DOCUMENT
    assert f"{config.port}" in DOCUMENT


def blocks() -> list[Any]:
    """Every JSON value in the document's examples; … stands for what is left out."""
    found: list[Any] = []
    for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL):
        rest = block.replace("{…}", '{"type": "x"}').strip()
        while rest:
            value, end = json.JSONDecoder().raw_decode(rest)
            found.append(value)
            rest = rest[end:].strip()
    return found


def test_the_examples_are_of_the_protocol() -> None:
    told = set()
    for value in blocks():
        for item in value if isinstance(value, list) else [value]:
            kind = {"hello": Hello, "welcome": Welcome, "batch": RawBatch}.get(item["type"])
            if kind is None:
                kind = EVENT_TYPES[item["type"]]
                msgspec.convert(item, AnyEvent)
            assert set(item) <= {*kind.__struct_fields__, "type"}
            told.add(item["type"])
    assert {"hello", "welcome", "batch", "call.start", "turn.start", "turn", "call.end"} <= told


def test_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", h).lower().replace(" ", "-")
        for h in re.findall(r"^##+ (.+)$", DOCUMENT, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", DOCUMENT):
        if target.startswith("#"):
            assert target[1:] in headings
        else:
            assert (Path(__file__).parents[2] / "docs" / target).exists()
