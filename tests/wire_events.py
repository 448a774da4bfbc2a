"""Hypothesis strategies and frame builders for everything that travels on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, get_type_hints

import msgspec
from hypothesis import strategies as st
from msgspec import Struct

from voicetop.wire.codec import Batch, Beat, Codec, Step
from voicetop.wire.events import EVENT_TYPES, Agent, Durations, Event, Latency
from voicetop.wire.values import ResponseTime, Segments

HOSTILE = [
    "\x1b[2J\x1b[31mred",
    "\x1b]0;pwned\x07",
    "\x9b31mC1",
    "\x9d0;title\x9c",
    "\u202egnp.exe",
    "\u2066isolate\u2069",
    "z" + "\u0301" * 40,
    "\U0001d165" * 9,
    "del\x7fete",
    "nul\x00byte",
    "line\nfeed\r\ttab",
    "soft\u00adhyphen\u200bzero\ufeffwidth",
    "\u2028line\u2029paragraph",
    "tag\U000e0041s",
    "private\ue000use",
]

harmless_texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z", "M")), max_size=20)
any_texts = st.one_of(
    harmless_texts,
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.sampled_from(HOSTILE),
    st.text(st.sampled_from("\u0300\u0301\u0489\u093e a\x1b\U0001d165"), max_size=30),
)


def values(hint: Any, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """What a field of this type may hold."""
    if hint == Durations | None:
        return st.none() | structs(Latency, texts)
    if hint == Agent | None:
        return st.none() | structs(Agent, texts)
    if hint == Segments:
        scalars = st.one_of(texts, st.none(), st.booleans(), st.integers(-9, 9), st.floats(-1e9, 1e9))
        return st.dictionaries(texts, scalars, max_size=5)
    if (bounds := bounds_of(hint)) is not None:
        return st.floats(*bounds)
    hint = getattr(hint, "__origin__", hint)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: texts,
        bool: st.booleans(),
        int: st.integers(0, 2**31 - 1),
        float: st.floats(0, 1e6),
        bytes: st.binary(max_size=30),
    }
    return plain.get(hint, st.none() | st.booleans())


def bounds_of(hint: Any) -> tuple[float, float] | None:
    """The bounds of a measured number, at most those of a recent time; None for anything else."""
    metas = getattr(hint, "__metadata__", ())
    if not metas or hint.__origin__ is not float:
        return None
    return max(metas[0].ge, -1e6), min(metas[0].le, 1e6)


def structs(kind: type[Struct], texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Structs of one kind: required fields always told, the others sometimes."""
    hints = get_type_hints(kind, include_extras=True)
    if issubclass(kind, Durations):
        hints = dict.fromkeys(hints, ResponseTime)
    fields = {field.name: values(hints[field.name], texts) for field in msgspec.structs.fields(kind)}
    needed = {f.name: fields.pop(f.name) for f in msgspec.structs.fields(kind) if f.required}
    return st.fixed_dictionaries(needed, optional=fields).map(lambda told: kind(**told))


def events(texts: st.SearchStrategy[str] = harmless_texts) -> st.SearchStrategy[Event]:
    """Events of every type."""
    return st.sampled_from(sorted(EVENT_TYPES)).flatmap(lambda name: structs(EVENT_TYPES[name], texts))


def frame(payloads: Iterable[bytes], at: float = 1_000.0, *, seq: int = 1) -> bytes:
    """One batch of raw events, all received at `at`."""
    raw = list(payloads)
    head = f'{{"type":"batch","seq":{seq},"at":[[{at!r},{len(raw)}]],"events":['
    return head.encode() + b",".join(raw) + b"]}"


def frame_of(items: Sequence[Event], at: float = 1_000.0, *, seq: int = 1) -> bytes:
    """One batch of events."""
    return frame([msgspec.json.encode(item) for item in items], at, seq=seq)


def folded(codec: Codec, frames: Iterable[bytes]) -> list[tuple[float, Any]]:
    """What an engine would see of `frames`, without the seams between batches: (time, event) and (time, Beat)."""
    seen: list[tuple[float, Any]] = []
    for data in frames:
        for step in codec.decode(data):
            if isinstance(step, Batch):
                seen += zip(step.at, map(told, step.events), strict=True)
            elif isinstance(step, Beat):
                seen.append((step.at, step))
    return seen


def told(struct: Any) -> Any:
    """A Struct as a dict of what it tells: NaN isn't told, and no NaN equals another."""
    if not isinstance(struct, Struct):
        return struct
    shown = {name: told(getattr(struct, name)) for name in struct.__struct_fields__}
    return {"": struct.__struct_config__.tag, **{k: v for k, v in shown.items() if v == v}}


def texts_in(value: Any) -> list[str]:
    """Every string anywhere in a decoded step."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Struct):
        return [text for name in value.__struct_fields__ for text in texts_in(getattr(value, name))]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts_in(part)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts_in(item)]
    return []


def texts_of_steps(steps: Iterable[Step]) -> list[str]:
    """Every string that the codec let through."""
    return [text for step in steps for text in texts_in(step)]
