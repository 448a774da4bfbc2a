"""Saves an event that has a bad value, without that value: text is cut, an absurd value left out, nothing else changes.

- A text that is too long is cut; an id is cut so that two ids stay two. Half a character becomes U+FFFD.
- A number, bool, segment or stage that is null, NaN, out of bounds or of another type is left out: it isn't known.
- A required name that is missing becomes "unknown"; a time that isn't a number becomes the time of receipt.

An event without `type` or `call_id`, with a time in milliseconds, or without a required number can't be saved. What an
operator does is never guessed: an operator event is right, or refused.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.events import EVENT_TYPES, AnyEvent, Event, Operator, Turn
from voicetop.wire.faults import FaultKind
from voicetop.wire.field_rules import (
    Fault,
    Findings,
    Rule,
    cut,
    joined,
    members,
    mended,
    mended_unknown,
    required_of,
    rules_of,
    whole_characters,
)
from voicetop.wire.frames import HUB_ONLY_TYPES, MAX_EVENT_BYTES
from voicetop.wire.lenient_json import BYTE_ORDER_MARK, nests_deeply, read_value
from voicetop.wire.text import safe_label
from voicetop.wire.values import MAX_LABEL, MAX_RESPONSE_MS, Label

KINDS: tuple[FaultKind, ...] = ("cut", "dropped", "converted", "character", "filled", "json")
"""The kinds of faults of an event that was saved."""

_HUB_ONLY = frozenset({EVENT_TYPES[name] for name in HUB_ONLY_TYPES & EVENT_TYPES.keys()})
_PUBLISHED = {b'"%b"' % name.encode(): name for name in EVENT_TYPES.keys() - HUB_ONLY_TYPES}
_NEVER_MADE_UP = frozenset({"call_id"})
_UNKNOWN = b'"unknown"'


class _Envelope(Struct, frozen=True):
    event_id: Label = ""
    source: Label = ""


_BYTE = re.compile(r"\(byte (\d+)\)")
SAMPLE_BEFORE = 60
"""Bytes of a sample before the one at which a text isn't JSON."""

_members_decoder = msgspec.json.Decoder(dict[str, Raw])
_raws_decoder = msgspec.json.Decoder(list[Raw])
_event_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_envelope_decoder = msgspec.json.Decoder(_Envelope)


class Repair(Struct, frozen=True):
    """What became of an event. `raw` is empty if it is lost; `event` is None then, and for an unknown type."""

    raw: bytes
    faults: list[Fault]
    event: AnyEvent | None = None
    event_id: str = ""
    source: str = ""


class _Unsavable(Exception):
    """Why an event can't be saved, in words."""


def is_sound(raw: bytes) -> bool:
    """Whether an event of a known type has nothing to repair; much cheaper than `repair`."""
    try:
        raw.decode()
        event = _event_decoder.decode(raw)
    except UNDECODABLE:
        return False
    small = len(raw) <= MAX_EVENT_BYTES and not nests_deeply(raw)
    return small and type(event) not in _HUB_ONLY and not (type(event) is Turn and has_absurd_stage(event))


def has_absurd_stage(turn: Turn) -> bool:
    """Whether a time in `latency` is out of bounds, which its type doesn't say. NaN is neither more nor less than 0."""
    if turn.latency is None:
        return False
    times = msgspec.structs.astuple(turn.latency)
    return bool(max(0.0, *times) > MAX_RESPONSE_MS or min(0.0, *times) < 0.0)


def repair(raw: bytes, at: float) -> Repair:
    """The event in `raw`, received `at`, as valid JSON. One that is right comes back unchanged and without faults.

    If `at` is NaN, an event without a time can't be saved.
    """
    findings = Findings()
    known: dict[str, bytes] = {}
    try:
        return _repaired(raw, at, findings, known)
    except _Unsavable as error:
        source = read_value(known.get("source", b'""'))
        refused = Findings()
        refused.add("refused", str(error), raw)
        return Repair(b"", refused.faults, source=safe_label(source) if isinstance(source, str) else "")


def _repaired(raw: bytes, at: float, findings: Findings, found: dict[str, bytes]) -> Repair:
    text = _as_utf8(raw.removeprefix(BYTE_ORDER_MARK).strip(b" \t\r\n"), findings)
    findings.strict = not nests_deeply(text)
    found |= _members(text, findings)
    name = _type_of(found, findings)
    kind = EVENT_TYPES.get(name)
    rules = rules_of(kind or Event)
    kept = {"type": msgspec.json.encode(name)}
    found.pop("type")
    for field, value in found.items():
        rule = rules.get(field)
        after = mended(field, value, rule, findings) if rule else mended_unknown(field, value, findings)
        if after is not None:
            kept[field] = after
    if kind is not None:
        _fill_in(kept, found, kind, at, findings)
    return _checked(text, _small_enough(kept, rules, findings), kind, findings)


def _as_utf8(text: bytes, findings: Findings) -> bytes:
    if text.isascii():
        return text
    try:
        text.decode()
    except UnicodeDecodeError as error:
        findings.add("character", "it isn't UTF-8 throughout", text[max(0, error.start - 40) :])
        return text.decode("utf-8", "replace").encode()
    return text


def _members(text: bytes, findings: Findings) -> dict[str, bytes]:
    found = members(text, findings)
    if found is None:
        what = _BEGINNINGS.get(text[:1], "not JSON")
        raise _Unsavable(f"it is {what}: send each event as a JSON object with a `type`")
    if not found:
        quotes = b"'" in text[:MAX_LABEL]
        raise _Unsavable("it isn't JSON: names and texts stand in double quotes" if quotes else "it is empty")
    return found


_BEGINNINGS = {b"[": "an array in an array", b'"': "a text", b"": "empty"} | {
    b"%c" % digit: "a number" for digit in b"-0123456789"
}


def _type_of(found: dict[str, bytes], findings: Findings) -> str:
    """The type in `found`. Raises _Unsavable if it has none, or one that no publisher may send."""
    raw = found.get("type", b"null")
    if raw in _PUBLISHED:
        return _PUBLISHED[raw]
    name = read_value(raw)
    if not isinstance(name, str) or not name:
        raise _Unsavable("it has no `type`, so nobody knows what happened")
    if len(name) > MAX_LABEL:
        raise _Unsavable(f"its `type` has {len(name):,} characters, more than {MAX_LABEL}")
    if name == "hello":
        raise _Unsavable("a hello is a frame of its own, outside of arrays")
    if name in HUB_ONLY_TYPES:
        raise _Unsavable(f"only a hub may send '{safe_label(name)}'")
    return whole_characters(name, "`type`", findings)


def _fill_in(
    kept: dict[str, bytes], found: dict[str, bytes], kind: type[Event], at: float, findings: Findings
) -> None:
    """Give required fields that are missing a value. Raises _Unsavable where that would be made up."""
    rules = rules_of(kind)
    for field in required_of(kind):
        if field in kept:
            continue
        rule = rules[field]
        if field == "ts":
            _check_unit(found.get(field, b"null"))
        if field == "ts" and at == at:
            value, instead = msgspec.json.encode(at), "the time of receipt"
        elif rule.limit and field not in _NEVER_MADE_UP:
            value, instead = _UNKNOWN, '"unknown"'
        else:
            raise _Unsavable(f"{_lack(field, findings)}, so it can't be counted")
        kept[field] = value
        if field not in found:
            findings.add("filled", f"`{field}` is missing: {instead} is taken")


def _lack(field: str, findings: Findings) -> str:
    """What is wrong with a required field that isn't there, or can't be used."""
    bad = [fault.why for fault in findings.faults if fault.why.startswith(f"`{field}` ")]
    return f"its {bad[0]}" if bad else f"it has no `{field}`"


def _check_unit(raw: bytes) -> None:
    value = read_value(raw)
    if isinstance(value, int | float) and 1e11 < value < 1e20:
        unit = "milliseconds" if value < 1e14 else "microseconds" if value < 1e17 else "nanoseconds"
        raise _Unsavable(f"`ts` is {raw.decode()}, in {unit}: send seconds since 1970")


def _small_enough(kept: dict[str, bytes], rules: dict[str, Rule], findings: Findings) -> bytes:
    """The event of at most MAX_EVENT_BYTES: long texts are cut further, or other large fields left out, until it is."""
    text = joined(kept)
    if len(text) <= MAX_EVENT_BYTES:
        return text
    long = {field for field in kept if field in rules and rules[field].limit}
    for field in long:
        kept[field] = msgspec.json.encode(read_value(kept[field]))  # without escapes
    excess = len(joined(kept)) - MAX_EVENT_BYTES
    for field in sorted(kept, key=lambda name: -len(kept[name])):
        if excess <= 0:
            break
        raw, after = kept.pop(field), b""
        what = f"`{field}` has {len(raw):,} bytes, and the event too many"
        if field in long:
            findings.add("cut", what, raw)
            after = _cut_to(raw, MAX_EVENT_BYTES // 4)
        else:
            findings.add("dropped", what, raw)
            after = _first_members(raw, MAX_EVENT_BYTES // 2) if field in rules else b""
        if after:
            kept[field] = after
        excess -= len(raw) - len(after)
    return joined(kept)


def _first_members(raw: bytes, size: int) -> bytes:
    """As much of an object, from its beginning."""
    kept: dict[str, bytes] = {}
    for name, value in (members(raw, Findings()) or {}).items():
        size -= 3 * len(name) + len(value)
        if size < 0:
            break
        kept[name] = value
    return joined(kept)


def _cut_to(raw: bytes, size: int) -> bytes:
    value = str(read_value(raw))
    while len(raw) > size:
        value = cut(value, len(value) // 2)
        raw = msgspec.json.encode(value)
    return raw


def _checked(before: bytes, after: bytes, kind: type[Event] | None, findings: Findings) -> Repair:
    """The result, which must decode like any other event."""
    decoder = _event_decoder if kind is not None else _envelope_decoder
    if not findings.faults:
        if findings.strict and _decodes(before, decoder):
            after = before
        elif fault := syntax_fault(before):
            findings.faults.append(fault)
        else:
            findings.add("json", "it has a name twice", before)
    try:
        event = decoder.decode(after)
    except UNDECODABLE as error:
        raise _Unsavable(str(error)) from None
    if isinstance(event, Operator) and findings.faults:
        raise _Unsavable(f"an operator's event is never repaired: {findings.faults[0].why}")
    known = None if isinstance(event, _Envelope) else event
    return Repair(after, findings.faults, known, event.event_id, event.source)


def syntax_fault(text: bytes) -> Fault | None:
    """Where an object or an array isn't JSON; None if it is."""
    try:
        (_raws_decoder if text.startswith(b"[") else _members_decoder).decode(text)
    except UNDECODABLE as error:
        why = f"it isn't valid JSON: {str(error).removeprefix('JSON is malformed: ')}"
    else:
        return None
    found = _BYTE.search(why)
    findings = Findings()
    findings.add("json", why, text[max(0, int(found[1]) - SAMPLE_BEFORE) :] if found else text)
    return findings.faults[0]


def _decodes(raw: bytes, decoder: msgspec.json.Decoder[AnyEvent] | msgspec.json.Decoder[_Envelope]) -> bool:
    try:
        decoder.decode(raw)
    except UNDECODABLE:
        return False
    return len(raw) <= MAX_EVENT_BYTES
