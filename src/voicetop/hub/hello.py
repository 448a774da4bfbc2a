"""A client's first frame: who it is, and whether the hub accepts it."""

from __future__ import annotations

import msgspec

from voicetop.hub.config import Role
from voicetop.wire.batches import UNDECODABLE, Tag
from voicetop.wire.events import PROTOCOL_VERSION
from voicetop.wire.field_rules import Fault, Findings, joined, members, mended, rules_of
from voicetop.wire.frames import Hello
from voicetop.wire.lenient_json import BYTE_ORDER_MARK, read_value

_decoder = msgspec.json.Decoder(Hello)
_tag_decoder = msgspec.json.Decoder(Tag)
_TYPE = b'"hello"'


def read_hello(frame: bytes) -> Hello | None:
    """The hello in `frame`, None if it is something else."""
    try:
        hello = _decoder.decode(frame)
        _tag_decoder.decode(frame)  # an object without a type would pass for one
    except UNDECODABLE:
        return None
    return hello


def mended_hello(frame: bytes) -> tuple[Hello, list[Fault]] | None:
    """The hello in `frame` without its bad values, and what was wrong with them; None if it is something else.

    A publisher waits for its welcome: a `source` that is null must not keep it from publishing.
    """
    findings = Findings()
    found = members(frame.removeprefix(BYTE_ORDER_MARK).strip(b" \t\r\n"), findings) or {}
    if read_value(found.pop("type", b"null")) != "hello":
        return None
    rules = rules_of(Hello)
    kept = {"type": _TYPE}
    for name, value in found.items():
        after = mended(name, value, rules[name], findings) if name in rules else None
        if after is not None:
            kept[name] = after
    try:
        return _decoder.decode(joined(kept)), findings.faults
    except UNDECODABLE:
        return None


def refusal_of(hello: Hello | None, roles: frozenset[Role]) -> str:
    """Why `hello` can't be accepted; empty if it can."""
    if hello is None:
        return 'send {"type":"hello","role":"viewer"} first; publishers connect to /publish'
    if hello.protocol != PROTOCOL_VERSION:
        return f"this hub uses protocol {PROTOCOL_VERSION}, not {hello.protocol}: update one side"
    if hello.role not in roles:
        return f"no role {hello.role[:20]!a} for this token; it allows {', '.join(sorted(roles))}"
    return ""
