"""Makes the texts of events safe to display, skipping frames that need no cleaning.

Most frames are plain: one scan of their bytes shows that no text in them can be dangerous, and their events pass
untouched. Others are checked event by event. Used only by the codec.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from voicetop.wire.events import EVENT_TYPES, Agent, Event
from voicetop.wire.text import is_safe, safe_label, safe_text
from voicetop.wire.values import MAX_LABEL, MAX_TEXT


def is_plain(frame: bytes) -> bool:
    """Whether no text in this JSON frame can be dangerous, from its bytes alone; may be a false negative.

    JSON must escape control characters, so ASCII without backslashes and DEL has none. The non-ASCII characters are
    checked together: combining marks that become adjacent this way only cost the closer check.
    """
    if b"\x7f" in frame or (b"\\" in frame and _ESCAPE.search(frame)):
        return False
    if frame.isascii():
        return True
    try:
        beyond = frame.translate(None, _ASCII).decode()
    except UnicodeDecodeError:
        return False
    return is_safe(beyond)


_ESCAPE = re.compile(rb'\\[^"\\/]')
_ASCII = bytes(range(0x80))


def clean_events(events: Iterable[Event]) -> int:
    """Make every text in `events` safe, in place. Returns how many changed."""
    changed = 0
    for event in events:
        kind = type(event)
        if kind in _NESTED or not is_safe("".join(_TEXTS[kind](event))):
            changed += clean_struct(event)
    return changed


def clean_struct(struct: Struct) -> int:
    """Make every text of a Struct safe, in place, including its segments and agent. Returns how many changed."""
    changed = 0
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if type(value) is str:
            safe = safe_text(value, MAX_TEXT if name in _LONG else MAX_LABEL)
            if safe is not value:
                changed += 1
                force_setattr(struct, name, safe)
        elif type(value) is dict and value:
            cleaned = clean_segments(value)
            if cleaned != value:
                changed += 1
                force_setattr(struct, name, cleaned)
        elif type(value) is Agent:
            changed += clean_struct(value)
    return changed


def clean_segments(segments: dict[str, Any]) -> dict[str, Any]:
    """Segments with safe, bounded names and values; values other than text are unchanged."""
    return {
        safe_label(name): safe_label(value) if isinstance(value, str) else value
        for name, value in segments.items()
    }


def _texts_of(kind: type[Event]) -> Callable[[Event], tuple[str, ...]]:
    names = [name for name, hint in get_type_hints(kind).items() if hint is str]
    return operator.attrgetter(*names)


def _long_texts() -> frozenset[str]:
    return frozenset(
        name
        for kind in EVENT_TYPES.values()
        for name, hint in get_type_hints(kind, include_extras=True).items()
        if Meta(max_length=MAX_TEXT) in getattr(hint, "__metadata__", ())
    )


_LONG = _long_texts()
_TEXTS = {kind: _texts_of(kind) for kind in EVENT_TYPES.values()}
_NESTED = frozenset(
    kind for kind in EVENT_TYPES.values() if {"segments", "segment", "agent"} & set(kind.__struct_fields__)
)
