"""Fuzzed frames: the codec never crashes, stays bounded and is safe to print."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest

from voicetop.errors import WireError
from voicetop.wire.cleaning import is_plain
from voicetop.wire.codec import KEPT_TYPES, Batch, Beat, Codec
from voicetop.wire.events import EVENT_TYPES
from voicetop.wire.text import safe_text
from wire_events import HOSTILE, frame, texts_of_steps

ODD_VALUES: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, 10**40, 1e308, -1e308, 0.1, "", "x" * 600, [], {}, [[]], {"a": {"b": 1}}, *HOSTILE
]  # fmt: skip
SHARP_BYTES = b'\\"{}[],:\x00\x1b\x7f\x9b\xc2\x85\xe2\x80\xae\xed\xa0\x80\xff0eE-.u'


class Fuzzer:
    """Seeded: a failure names its seed and number, and is reproducible."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def frame(self) -> bytes:
        data = frame([self.payload() for _ in range(self.random.choice((0, 1, 1, 2, 5)))])
        for _ in range(self.random.choice((0, 0, 0, 1, 1, 2, 8))):
            data = self.mutated(data)
        return data

    def payload(self) -> bytes:
        kind = self.random.choice([*EVENT_TYPES, "unknown.type", "batch"])
        fields = EVENT_TYPES[kind].__struct_fields__ if kind in EVENT_TYPES else ("ts",)
        event = {
            "type": kind,
            "ts": 1.0,
            "call_id": "c",
            "name": "llm",
            "state": "start",
            "by": "user",
            "seq": 1,
        }
        for field in self.random.sample(fields, self.random.randrange(min(6, len(fields) + 1))):
            event[field] = self.value()
        if self.random.random() < 0.1:
            event[self.random.choice(HOSTILE)] = self.value()
        return json.dumps(event, ensure_ascii=self.random.random() < 0.5, allow_nan=False).encode(
            "utf-8", "replace"
        )

    def value(self) -> object:
        roll = self.random.random()
        if roll < 0.6:
            return self.random.choice(ODD_VALUES)
        if roll < 0.8:
            return {self.random.choice(HOSTILE): self.random.choice(ODD_VALUES) for _ in range(3)}
        return (
            "".join(chr(self.random.randrange(0x11000)) for _ in range(5)).encode("utf-8", "ignore").decode()
        )

    def mutated(self, data: bytes) -> bytes:
        at = self.random.randrange(len(data) + 1)
        until = at + self.random.randrange(12)
        return self.random.choice(
            (
                lambda: data[:at] + data[until:],
                lambda: data[:at] + bytes([self.random.choice(SHARP_BYTES)]) + data[at:],
                lambda: data[:at] + bytes([self.random.randrange(256)]) + data[at + 1 :],
                lambda: data[:at] + data[at:until] * 2 + data[until:],
                lambda: data[:at],
                lambda: data[:at] + self.random.randbytes(3) + data[at:],
                lambda: (
                    data[:at]
                    + b"\\u%04x" % self.random.choice((0x1B, 0xD800, 0xDC00, 0x202E, 0x9B))
                    + data[at:]
                ),
            )
        )()


def run(seed: int, count: int) -> Codec:
    fuzzer, codec = Fuzzer(seed), Codec()
    refusals: list[str] = []
    for number in range(count):
        data = fuzzer.frame()
        try:
            steps = codec.decode(data)
        except WireError as error:
            refusals.append(str(error))
            continue
        texts = texts_of_steps(steps)
        assert all(safe_text(text) is text for text in texts), (seed, number, data)
        for step in steps:
            assert isinstance(step, Beat) or not isinstance(step, Batch) or len(step.events) == len(step.at)
    assert 0 < len(refusals) < count
    assert all(line.isprintable() for line in refusals)
    return codec


def check(codec: Codec) -> None:
    stats = codec.stats
    assert len(stats.unknown_types) <= KEPT_TYPES + 1
    assert len(stats.unknown_fields) <= KEPT_TYPES + 1
    kept = [fault.sample + fault.why for kinds in stats.faults.values() for fault in kinds.values()]
    assert kept
    assert all(text.isprintable() for text in [*kept, *stats.unknown_types, *stats.unknown_fields])
    assert stats.malformed > 0
    msgspec.msgpack.encode(stats)


def test_twenty_thousand_random_and_mutated_frames_do_no_harm() -> None:
    check(run(seed=20_000, count=20_000))


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_million_random_and_mutated_frames_do_no_harm() -> None:
    check(run(seed=1_000_000, count=1_000_000))


def test_random_bytes_are_refused_in_one_line() -> None:
    source = random.Random(5)
    for _ in range(2_000):
        with pytest.raises(WireError):
            Codec().decode(source.randbytes(source.randrange(200)))


def test_plain_frames_are_safe_under_fuzz() -> None:
    fuzzer = Fuzzer(7)
    for number in range(5_000):
        data = fuzzer.payload()
        if not is_plain(data):
            continue
        try:
            decoded = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        texts = json.dumps(decoded, ensure_ascii=False)
        assert texts.isprintable(), (number, data)
