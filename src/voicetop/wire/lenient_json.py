"""Reads JSON that a strict decoder refuses, value by value: where a value ends, and what members an object has.

For events with NaN, half a character, a trailing comma, a bracket too many or bytes that got lost. Takes time in
proportion to the text, and doesn't recurse, so that no input is expensive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw

from voicetop.wire.batches import UNDECODABLE

MAX_MEMBERS = 2_000
"""Members of an object that are read."""
MAX_BRACKETS = 20_000
"""Brackets in a value; one with more isn't read."""
MAX_TEXT = 1 << 30
PATIENCE = 16
"""Damaged parts of a text that are looked at closely; each may cost a look at all that follows."""
NESTING_MARGIN = 256
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

UNREADABLE = object()
"""What `read_value` returns for something that is no JSON value at all."""

_IN_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_STRING = re.compile(_IN_STRING, re.DOTALL)
_NAME = re.compile(rb"[\s,]*+(%b)\s*+:\s*+" % _IN_STRING, re.DOTALL)
_MEMBER = re.compile(rb'[\s,]*+"([^"\\]*+)"\s*+:\s*+(%b|[^,\s{}\[\]"]++)(?=\s*+[,}])' % _IN_STRING, re.DOTALL)
"""A member with a plain name and a value without brackets, as nearly all are."""
_LATER_NAME = re.compile(rb"[,{]\s*+(%b)\s*+:\s*+" % _IN_STRING, re.DOTALL)
_TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:%b[^"{}\[\]]*+)*+' % _IN_STRING, re.DOTALL)
_BARE = re.compile(rb"[^,\s{}\[\]]*+")
_GARBAGE = re.compile(rb'[^,"{}\[\]]*+')
_BETWEEN = re.compile(rb"[\s,\]]*+")
_SEPARATOR = re.compile(rb'\s*+(?:,|$)|[^"{}\[\]:]*+(?:[\]{]|$)')
_NEXT_EVENT = re.compile(rb'\{(?<!:\{)(?<!: \{)\s*+"(?:type|ts|call_id|event_id|source|turn)"\s*+:')
_QUOTE = ord('"')
_OPENING = b"{["

_raw_decoder = msgspec.json.Decoder(Raw)


def split_events(frame: bytes) -> Iterator[bytes]:
    """The elements of an array that isn't valid JSON, or the values of a text without brackets around them.

    A damaged one ends where the next event seems to begin.
    """
    at = 1 if frame.startswith(b"[") else 0
    patience, limit = PATIENCE, 0
    while (at := _match_end(_BETWEEN, frame, at)) < len(frame):
        if limit <= at:
            limit = _next_event(frame, at + 1)
        end = _end_of_element(frame, at, limit)
        if end < 0 and patience:
            patience -= 1
            end = _end_of_wider_object(frame, at)
        if end < 0:
            end = _end_of_damaged(frame, limit)
        yield frame[at:end].rstrip(b", \t\r\n")
        at = end


def end_of_event(frame: bytes, start: int) -> int:
    """Where the event ends that begins at `start`, in an array that may be damaged."""
    limit = _next_event(frame, start + 1)
    end = _end_of_element(frame, start, limit)
    if end < 0:
        end = _end_of_wider_object(frame, start)
    return _end_of_damaged(frame, limit) if end < 0 else end


def _next_event(frame: bytes, start: int) -> int:
    """Where another event seems to begin, or the frame ends."""
    following = _NEXT_EVENT.search(frame, start)
    return following.start() if following else len(frame)


def _end_of_damaged(frame: bytes, limit: int) -> int:
    return limit if limit < len(frame) else len(frame.rstrip(b"], \t\r\n"))


def _end_of_element(frame: bytes, start: int, limit: int) -> int:
    """Where a value ends that is followed by another or by the end of the array; -1 if it is damaged."""
    bare = frame[start] not in b'{["'
    end = _match_end(_GARBAGE, frame, start, limit) if bare else end_of_value(frame, start, limit)
    return end if end > start and _SEPARATOR.match(frame, end) else -1


def _end_of_wider_object(frame: bytes, start: int) -> int:
    """The same for an object that has others with a `type` in it, unless a missing quote made them part of it."""
    end = _end_of_element(frame, start, len(frame))
    return end if end > 0 and members_of(frame[start:end])[1] else -1


def end_of_value(text: bytes, start: int, limit: int) -> int:
    """Where the value ends that begins at `start`; -1 if not before `limit`, or if it has too many brackets."""
    first = text[start : start + 1]
    if first == b'"':
        return _match_end(_STRING, text, start, limit)
    if not first or first not in _OPENING:
        return _match_end(_BARE, text, start, limit)
    at, depth = start, 0
    for _ in range(MAX_BRACKETS):
        depth += 1 if text[at] in _OPENING else -1
        at += 1
        if not depth:
            return at
        at = _match_end(_TO_BRACKET, text, at, limit)
        if at == limit or text[at] == _QUOTE:
            break
    return -1


def members_of(text: bytes) -> tuple[dict[str, bytes], bool]:
    """The members of an object, each as the text of its value, and whether all of it could be read.

    What can't be read is skipped, up to the next name. The last of several with one name counts.
    """
    members: dict[str, bytes] = {}
    at, patience = 1, PATIENCE
    for _ in range(MAX_MEMBERS):
        if (found := _MEMBER.match(text, at)) is not None:
            members[found[1].decode("utf-8", "replace")] = found[2]
            at = found.end()
            continue
        found = _NAME.match(text, at)
        if found is None:
            if text[at:].strip() == b"}":
                return members, patience == PATIENCE
            patience -= 1
            found = _LATER_NAME.search(text, at)
        if found is None or patience <= 0:
            break
        end = end_of_value(text, found.end(), len(text))
        name = found[1][1:-1].decode("utf-8", "replace") if b"\\" not in found[1] else read_value(found[1])
        if isinstance(name, str):
            members[name] = text[found.end() : end if end >= 0 else len(text)]
        at = end if end >= 0 else found.end()
    return members, False


def read_value(raw: bytes) -> Any:
    """A JSON value, also NaN, half a surrogate, control characters in a text and numbers out of range (infinite)."""
    try:
        return _decoder.decode(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return UNREADABLE


def nests_deeply(text: bytes) -> bool:
    """Whether a reader with less stack than this process might fail to decode a JSON text.

    A console reads an event two levels deeper, together with others, and would lose all of them. The check costs a
    second pass over the text, so it only runs if there are enough brackets to nest too deeply.
    """
    if text.count(b"[") + text.count(b"{") < 2 * NESTING_MARGIN:
        return False
    try:
        _raw_decoder.decode(b"[" * NESTING_MARGIN + text + b"]" * NESTING_MARGIN)
    except RecursionError:
        return True
    except UNDECODABLE:
        return False  # decoding reports it more precisely
    return False


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 400 else float(digits[:1] + "1e999" if digits[0] == "-" else "1e999")


_decoder = json.JSONDecoder(strict=False, parse_int=_integer)


def _match_end(pattern: re.Pattern[bytes], text: bytes, start: int, limit: int = MAX_TEXT) -> int:
    found = pattern.match(text, start, limit)
    return found.end() if found else -1
