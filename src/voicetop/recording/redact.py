"""Removes personal data from a recording, for people who may see figures but not callers.

Phone numbers, e-mail addresses, card and account numbers are replaced wherever they occur in text; names are the values
of configured fields, and their repetitions in the same call. Each becomes a pseudonym, a keyed hash (BLAKE2b), so
that one caller stays one caller and numbers can't be guessed without the key.

It errs on the side of removing too much: any long number is replaced. Checkpoints are removed, since they hold
transcripts; a cut computes its own from redacted records. Payloads that can't be parsed are removed.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
from collections import Counter
from typing import Any

import msgspec
from msgspec import Raw

from voicetop.recording.format import event_of
from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.events import EVENT_TYPES, SPOKEN_FIELDS, Agent, Durations, Gap
from voicetop.wire.frames import RawBatch, Welcome
from voicetop.wire.values import MAX_LABEL, MAX_TEXT

FIELDS = (
    "caller", "caller_name", "caller_id", "customer", "customer_name", "customer_id", "user_name", "first_name",
    "last_name", "full_name", "account", "account_id", "account_number", "phone", "phone_number", "email", "by",
)  # fmt: skip
"""Fields that identify a person, at any depth."""

_SPOKEN = SPOKEN_FIELDS | {"text", "sample"}
"""The words of a transcript, and what may quote some: an operator's text, a value that a hub couldn't take."""
_MOST_NAMES = 100_000
_IDS = frozenset(
    {"call_id", "event_id", "trace_id", "span_id", "provider_call_id", "request_id", "source", "id"}
)
_NAMES = frozenset(
    {
        "type", "direction", "platform", "provider", "model", "fingerprint", "region", "component", "category",
        "error_type", "name", "state", "status", "step", "prev_step", "version", "prompt_version", "kind",
        "severity", "party", "evaluator", "measured_from", "role", "why", "act", "target", "suite", "conversation",
    }
)  # fmt: skip
"""Names of machines, not people: only clear addresses and numbers are removed from these."""

_ENVELOPE = frozenset({"type", "ts", "event_id", "source"})
_KNOWN = {name: frozenset(kind.__struct_fields__) | {"type"} for name, kind in EVENT_TYPES.items()}
_PARTS = {"agent": frozenset(Agent.__struct_fields__), "latency": frozenset(Durations.__struct_fields__)}
_KNOWN_CALLS = 20_000

_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w.+%-]{1,64}(?:@[\w-]{1,63}(?:\.[\w-]{1,63})+| at [\w-]{1,63}(?: dot [a-z]{2,24})+)",
    re.IGNORECASE,
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_DIGITS = re.compile(r"(?<!\d)\+?\(?\d(?:[ ().\-/]{0,2}\d){5,33}(?!\d)")
_SPOKEN_DIGITS = re.compile(
    r"\b(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)\b[\s,.-]{0,3}){6,40}",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ .-]?\d{1,2})?")
_DECIMAL = re.compile(r"\d+\.\d+")
_batch_decoder: msgspec.json.Decoder[RawBatch | Welcome | Gap] = msgspec.json.Decoder(
    RawBatch | Welcome | Gap
)


class Redactor:
    """Redacts frame by frame, in feed order. Equal keys give equal pseudonyms; without a key a random one is used.

    `drop_text` removes all transcripts, tool arguments and results, and every field that voicetop doesn't know.
    """

    def __init__(
        self, key: bytes = b"", *, fields: tuple[str, ...] = FIELDS, drop_text: bool = False
    ) -> None:
        self.states = 0
        self.withheld = 0
        self.dropped = 0
        self._key = hashlib.blake2b(key or os.urandom(32), digest_size=32).digest()
        self._fields = frozenset(field.lower() for field in fields)
        self._drop_text = drop_text
        self._counts: Counter[tuple[str, str]] = Counter()
        self._distinct: dict[str, set[str]] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._all_names: dict[str, str] = {}
        self._call = ""
        self._in_operator_act = False

    def frame(self, frame: bytes) -> bytes:
        """A redacted frame with the same stamps; an invalid frame stays invalid."""
        try:
            decoded = _batch_decoder.decode(frame)
        except UNDECODABLE:
            self.withheld += 1
            return b"withheld"
        if isinstance(decoded, RawBatch):
            events = [Raw(self._raw(raw)) for raw in decoded.events]
            return msgspec.json.encode(msgspec.structs.replace(decoded, events=events))
        if isinstance(decoded, Welcome):
            self.states += bool(decoded.state)
            return msgspec.json.encode(msgspec.structs.replace(decoded, state=b""))
        return msgspec.json.encode(
            Gap(ts=decoded.ts, from_seq=decoded.from_seq, to_seq=decoded.to_seq, why=decoded.why)
        )

    def report(self) -> list[str]:
        """What was replaced, as text that contains no original value."""
        lines = []
        for kind in sorted({kind for kind, _ in self._counts}):
            fields = {field: count for (counted, field), count in self._counts.items() if counted == kind}
            where = ", ".join(f"{field} {fields[field]:,}" for field in sorted(fields)[:12])
            lines.append(
                f"{kind}: {sum(fields.values()):,} replaced, {len(self._distinct[kind]):,} different ({where})"
            )
        for count, what in (
            (self.dropped, "texts and fields left out"),
            (self.states, "checkpoints left out"),
            (self.withheld, "invalid payloads left out"),
        ):
            if count:
                lines.append(f"{what}: {count:,}")
        return lines or ["found nothing to replace"]

    def _raw(self, raw: Raw) -> bytes:
        try:
            event = event_of(raw)
            if not isinstance(event, dict):
                return msgspec.json.encode(self._value("", event, frozenset()))
            return msgspec.json.encode(self._event(event))
        except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError, ValueError):
            self.withheld += 1
            return b'{"type":"withheld"}'

    def _event(self, event: dict[str, Any]) -> dict[str, Any]:
        kind = event.get("type")
        known = _KNOWN.get(kind, _ENVELOPE) if isinstance(kind, str) else _ENVELOPE
        call = event.get("call_id")
        self._call = call if isinstance(call, str) else ""
        self._in_operator_act = kind == "operator"
        if kind == "malformed":
            self.withheld += 1
            event["payload"] = base64.b64encode(b"withheld").decode()
            known = known | {"payload"}
        if kind == "repaired" and event.pop("sample", ""):
            self.withheld += 1
        if self._drop_text:
            event = self._without_text(event, known)
        out = self._dict(event, known)
        if kind == "malformed":
            out["payload"] = event["payload"]
        return out

    def _without_text(self, event: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
        rest = {name: value for name, value in event.items() if name in known - _SPOKEN}
        self.dropped += len(event) - len(rest)
        return rest

    def _dict(self, values: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
        return {
            name if name in known else self._text(name, "names of fields"): self._value(name, value, known)
            for name, value in values.items()
        }

    def _value(self, name: str, value: Any, known: frozenset[str]) -> Any:
        if isinstance(value, dict):
            return self._dict(value, _PARTS.get(name, frozenset()) if name in known else frozenset())
        if isinstance(value, list):
            return [self._value(name, item, frozenset()) for item in value]
        if value is None or isinstance(value, bool) or value == "":
            return value
        if name.lower() in self._fields:
            return self._person(name, str(value))
        if isinstance(value, str):
            return self._string(name, value, known)
        if name in known:
            return value
        text = self._text(str(value), name)
        return value if text == str(value) else text

    def _string(self, name: str, value: str, known: frozenset[str]) -> str:
        if name in known and name in _NAMES:
            return self._machine_name(value, name)
        if name in known and name in _IDS:
            return self._id(value, name)
        if name in SPOKEN_FIELDS and value[:1] in "{[":
            with contextlib.suppress(msgspec.DecodeError, RecursionError):
                inner = self._value(name, msgspec.json.decode(value), frozenset())
                return _truncate(msgspec.json.encode(inner).decode(), value)
        return self._text(value, name)

    def _id(self, value: str, name: str) -> str:
        """An id is harmless unless it contains a number or an address."""
        return self._pseudonym("id", value, name) if "@" in value or _DIGITS.search(value) else value

    def _machine_name(self, value: str, name: str) -> str:
        if "@" not in value and not value.startswith("+"):
            return value
        return self._text(value, name)

    def _person(self, name: str, value: str) -> str:
        if _EMAIL.fullmatch(value):
            return self._pseudonym("email", value.lower(), name)
        if _DIGITS.fullmatch(value.strip()):
            return self._number(value.strip(), name) or self._pseudonym("name", value, name)
        pseudonym = self._pseudonym("name", " ".join(value.casefold().split()), name)
        if self._call:
            self._remember_name(value, pseudonym)
        return pseudonym

    def _remember_name(self, value: str, pseudonym: str) -> None:
        """A person named in a call may be mentioned later by that name, or by part of it."""
        words = [word for word in re.findall(r"[^\W\d_]{3,}", value) if len(value) <= 100]
        if self._call not in self._names and len(self._names) >= _KNOWN_CALLS:
            del self._names[next(iter(self._names))]
        names = self._names.setdefault(self._call, {})
        if len(names) < 50:
            names.update(dict.fromkeys((word.casefold() for word in words), pseudonym))
        if len(self._all_names) < _MOST_NAMES:
            self._all_names.update(dict.fromkeys((word.casefold() for word in words), pseudonym))

    def _text(self, text: str, field: str) -> str:
        """Free text with personal data replaced."""
        out = text
        if any(char.isdigit() for char in out):
            out = _IBAN.sub(lambda match: self._iban(match[0], field), out)
            out = _DIGITS.sub(lambda match: self._number(match[0], field) or match[0], out)
        if "@" in out or " dot " in out.lower():
            out = _EMAIL.sub(lambda match: self._pseudonym("email", match[0].lower(), field), out)
        out = _SPOKEN_DIGITS.sub(lambda match: self._pseudonym("number", match[0].lower(), field) + " ", out)
        names = self._all_names if self._in_operator_act else self._names.get(self._call)
        if names:
            out = re.sub(r"[^\W\d_]{3,}", lambda match: self._replace_name(match[0], names, field), out)
        return _truncate(out, text)

    def _replace_name(self, word: str, names: dict[str, str], field: str) -> str:
        pseudonym = names.get(word.casefold())
        if pseudonym is None:
            return word
        self._counts["name", field] += 1
        return pseudonym

    def _iban(self, text: str, field: str) -> str:
        plain = text.replace(" ", "")
        rotated = plain[4:] + plain[:4]
        valid = int("".join(str(int(char, 36)) for char in rotated)) % 97 == 1
        return self._pseudonym("account", plain, field) if valid else text

    def _number(self, text: str, field: str) -> str:
        """The pseudonym of a number as people write it; empty for a date or a decimal fraction."""
        if _DATE.fullmatch(text) or _DECIMAL.fullmatch(text):
            return ""
        digits = re.sub(r"\D", "", text)
        if 13 <= len(digits) <= 19 and _luhn(digits):
            return self._pseudonym("card", digits, field)
        if text.isdigit() and len(digits) not in (10, 11):
            return self._pseudonym("account", digits, field)
        return self._pseudonym("phone" if len(digits) <= 15 else "account", digits[-10:], field)

    def _pseudonym(self, kind: str, value: str, field: str) -> str:
        hashed = hashlib.blake2b(
            f"{kind} {value}".encode("utf-8", "replace"), key=self._key, digest_size=8 if kind == "id" else 5
        )
        pseudonym = f"{kind}-{_letters(hashed.digest())}"
        self._counts[kind, field] += 1
        self._distinct.setdefault(kind, set()).add(pseudonym)
        return pseudonym


def _letters(data: bytes) -> str:
    """Encodes bytes as letters only, so that a pseudonym is never mistaken for a number."""
    return data.hex().translate(str.maketrans("0123456789", "ghjkmnpqrs"))


def _luhn(digits: str) -> bool:
    """The check digit of card numbers (ISO/IEC 7812-1, annex B).

    >>> _luhn("4111111111111111"), _luhn("4111111111111112")
    (True, False)
    """
    doubled = [int(d) * (2 if n % 2 else 1) for n, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _truncate(text: str, before: str) -> str:
    """Truncate text to the protocol's limits, past which its event would be rejected."""
    if len(text) <= len(before):
        return text
    return text[: MAX_LABEL if len(before) <= MAX_LABEL else max(len(before), MAX_TEXT)]
