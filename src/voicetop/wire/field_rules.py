"""What becomes of the value of one field: kept as it is, mended, or left out, and what was wrong with it.

The rules follow from the types in `events.py`, so that a new field needs none of its own.
"""

from __future__ import annotations

import hashlib
import math
import re
from functools import cache, lru_cache
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta, Raw, Struct

from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.events import Agent, Durations
from voicetop.wire.faults import FaultKind
from voicetop.wire.lenient_json import UNREADABLE, members_of, nests_deeply, read_value
from voicetop.wire.text import safe_text
from voicetop.wire.values import MAX_LABEL, MAX_SEGMENTS, MAX_TEXT, ResponseTime, Scalar, Segments

MAX_SAMPLE = 120
HASH_BYTES = 8

_SURROGATE = re.compile("[\ud800-\udfff]")
_raw_decoder = msgspec.json.Decoder(Raw)
_members_decoder = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


class Fault(Struct, frozen=True):
    """One bad value: `why` names its field, `sample` is the value, shortened; both are safe to print."""

    kind: FaultKind
    why: str
    sample: str


class Findings:
    """What is wrong with one event. `strict`: all of it was valid JSON so far, so that nobody looks again."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.strict = True

    def add(self, kind: FaultKind, why: str, sample: bytes = b"") -> None:
        shown = cut(sample[: 2 * MAX_SAMPLE].decode("utf-8", "replace"), MAX_SAMPLE)
        self.faults.append(Fault(kind, safe_text(why, 200), safe_text(shown)))


class Rule(Struct, frozen=True):
    """What is expected of a field.

    `limit`: the length of a text, 0 if it isn't one. `bounds`: of a number. `parts`: the fields of an object.
    """

    decoder: Any
    expected: str
    limit: int = 0
    bounds: tuple[float, float] | None = None
    parts: dict[str, Rule] | None = None
    required: bool = False

    @property
    def whole(self) -> bool:
        return self.expected == _EXPECTED[int]

    @property
    def loses(self) -> FaultKind:
        """The kind of fault of a value that can't be kept."""
        return "filled" if self.required else "dropped"


@cache
def rules_of(kind: type[Struct]) -> dict[str, Rule]:
    """The rules for the fields of a Struct."""
    hints = get_type_hints(kind, include_extras=True)
    if kind is Durations:
        hints = dict.fromkeys(kind.__struct_fields__, ResponseTime)
    return {
        field.name: _rule(hints[field.name], required=field.required)
        for field in msgspec.structs.fields(kind)
    }


@cache
def required_of(kind: type[Struct]) -> list[str]:
    """The fields that every event of this kind has."""
    return [name for name, rule in rules_of(kind).items() if rule.required]


def _rule(hint: Any, *, required: bool) -> Rule:
    base: Any = getattr(hint, "__origin__", hint)
    meta = next((meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, Meta)), Meta())
    part = next((kind for kind in (Agent, Durations) if kind in get_args(hint)), None)
    return Rule(
        msgspec.json.Decoder(hint),
        _EXPECTED.get(base, "an object" if part or hint == Segments else "true or false"),
        limit=(meta.max_length or 0) if base is str else 0,
        bounds=None if meta.ge is None or meta.le is None else (meta.ge, meta.le),
        parts=rules_of(part) if part else None,
        required=required,
    )


_EXPECTED: dict[Any, str] = {str: "text", float: "a number", int: "a whole number", bytes: "base64"}
_SEGMENT = Rule(msgspec.json.Decoder(Scalar), "text, a number or a bool", limit=MAX_LABEL)


def members(text: bytes, findings: Findings, what: str = "a name") -> dict[str, bytes] | None:
    """The members of a JSON object, each as the text of its value; None for anything else. `what` names their names."""
    if not text.startswith(b"{"):
        return None
    try:
        return {name: bytes(value) for name, value in _members_decoder.decode(text).items()}
    except UNDECODABLE:
        findings.strict = False
        return {whole_characters(name, what, findings): value for name, value in members_of(text)[0].items()}


def joined(values: dict[str, bytes]) -> bytes:
    """An object of these members."""
    return b"{%b}" % b",".join([_key(name) + value for name, value in values.items()])


@lru_cache(256)
def _key(name: str) -> bytes:
    return _encode(name) + b":"


def mended(name: str, raw: bytes, rule: Rule, findings: Findings) -> bytes | None:
    """The text of the value that is kept for a field; None leaves it out."""
    if rule.parts is not None and raw.startswith(b"{"):
        return _mended_object(name, raw, rule.parts, findings)
    try:
        rule.decoder.decode(raw)
    except UNDECODABLE:
        pass
    else:
        return raw
    if rule.limit:
        return _mended_text(name, raw, rule, findings)
    if rule.expected == "an object" and raw.startswith(b"{"):
        return _mended_segments(name, raw, findings)
    findings.add(rule.loses, f"`{name}` {_complaint(raw, rule)}", raw)
    return None


def mended_unknown(name: str, raw: bytes, findings: Findings) -> bytes | None:
    """The same for a field that isn't known: anything that every reader can skip."""
    if findings.strict:
        return raw
    try:
        _raw_decoder.decode(raw)
        if not nests_deeply(raw):
            return raw
        why = "nests too deeply"
    except RecursionError:
        why = "nests too deeply"
    except UNDECODABLE:
        if isinstance(value := read_value(raw), str):
            return _encode(whole_characters(value, f"`{name}`", findings))
        why = "is not valid JSON throughout" if isinstance(value, dict | list) else _complaint(raw, _SEGMENT)
    findings.add("dropped", f"`{name}` {why}", raw)
    return None


def _mended_object(name: str, raw: bytes, parts: dict[str, Rule], findings: Findings) -> bytes:
    before = members(raw, findings, f"a name in `{name}`") or {}
    after = {}
    for part, value in before.items():
        rule, path = parts.get(part), f"{name}.{part}"
        kept = mended(path, value, rule, findings) if rule else mended_unknown(path, value, findings)
        if kept is not None:
            after[part] = kept
    return raw if after == before and findings.strict else joined(after)


def _mended_segments(name: str, raw: bytes, findings: Findings) -> bytes:
    before = members(raw, findings, f"a name in `{name}`") or {}
    after: dict[str, bytes] = {}
    for segment, value in before.items():
        if len(after) == MAX_SEGMENTS:
            why = f"`{name}` has {len(before):,} values; the first {MAX_SEGMENTS} were kept"
            findings.add("dropped", why, raw)
            break
        if len(segment) > MAX_LABEL:
            findings.add("cut", f"a name in `{name}` has {len(segment):,} characters", _encode(segment))
        short = cut(segment, MAX_LABEL)
        kept = mended(f"{name}.{short}", value, _SEGMENT, findings)
        if kept is not None:
            after[short] = kept
    return joined(after)


def _mended_text(name: str, raw: bytes, rule: Rule, findings: Findings) -> bytes | None:
    value = read_value(raw)
    if isinstance(value, dict | list) and rule.limit == MAX_TEXT:
        what = _TYPES.get(type(value), "an object")
        findings.add("converted", f"`{name}` is {what}, not text", raw)
        value = raw.decode("utf-8", "replace")
    elif _is_number(value):
        findings.add("converted", f"`{name}` is a number, not text", raw)
        value = raw.decode()
    if not isinstance(value, str):
        findings.add(rule.loses, f"`{name}` {_complaint(raw, rule)}", raw)
        return None
    value = whole_characters(value, f"`{name}`", findings)
    if len(value) > rule.limit:
        findings.add("cut", f"`{name}` has {len(value):,} characters, more than {rule.limit:,}", raw)
        value = cut_id(value) if is_id(name) else cut(value, rule.limit)
    return _encode(value)


def _is_number(value: object) -> bool:
    """Whether a value is a number of any size, and finite."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def whole_characters(text: str, what: str, findings: Findings) -> str:
    """The text with U+FFFD for every half of a surrogate pair."""
    whole = text if text.isascii() else _SURROGATE.sub("\ufffd", text)
    if whole is not text and whole != text:
        findings.add("character", f"{what} has half of a character", _encode(whole))
    return whole


def is_id(name: str) -> bool:
    """Whether two different values of a field must stay two when they are cut."""
    return name == "source" or name.endswith("_id")


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, the last of them an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def cut_id(text: str) -> str:
    """The beginning of an id and a hash of the whole."""
    sign = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=HASH_BYTES).hexdigest()
    return f"{text[: MAX_LABEL - 2 * HASH_BYTES - 1]}…{sign}"


def _complaint(raw: bytes, rule: Rule) -> str:
    """What is wrong with a value."""
    value = read_value(raw)
    if value is UNREADABLE:
        return "nests too deeply" if nests_deeply(raw) else "is not JSON"
    if value is None:
        return "is null"
    if isinstance(value, float) and not math.isfinite(value):
        what = "infinite" if raw.endswith(b"y") else "out of range"
        return "is NaN" if math.isnan(value) else f"is {what}"
    if isinstance(value, int | float) and not isinstance(value, bool) and rule.bounds:
        point = ", without a decimal point" if rule.whole and isinstance(value, float) else ""
        return f"is {raw[:24].decode()}, not {_in_words(rule, *rule.bounds)}{point}"
    return f"is {_TYPES.get(type(value), 'an object')}, not {rule.expected}"


def _in_words(rule: Rule, low: float, high: float) -> str:
    """The numbers that are expected."""
    return f"{rule.expected} from {max(low, 0) if rule.whole else low:,.0f} to {high:,.0f}"


_TYPES = {str: "text", bool: "a bool", list: "an array", int: "a number", float: "a number"}
