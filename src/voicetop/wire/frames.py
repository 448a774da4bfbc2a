"""Frames between hub and clients: JSON text, each one of these Structs.

    console → hub    {"type":"hello","role":"viewer","resume":{"epoch":"3f…","seq":812}}
    hub → console    {"type":"welcome","epoch":"3f…","seq":900,"oldest_seq":400,"state":"<base64 checkpoint>"}
                     {"type":"batch","seq":901,"at":[[1760000000.25,3],[1760000000.27,1]],"events":[{…},{…},{…},{…}]}
                     {"type":"gap", …}      an event of its own, see `events.Gap`
                     {"type":"duty","on":true}    to watchers only: whether this one is active
    console → hub    {"type":"state"}             request the hub's state, after everything sent so far
    watcher ↔ hub    {"type":"told", …}           a delivery by one watcher, for the others
    publisher → hub  {"type":"hello","role":"publisher","source":"agent-7"}, then events, or arrays of them

A batch carries consecutive events from `seq` on; `at` says in runs [receive time, number of events] when the hub
received them, never decreasing. A batch made by a source itself while the hub was silent, or to report a gap, is
`local`: it is outside the hub's numbering, and `seq` repeats the last one seen.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

from voicetop.wire.values import Label

MAX_EVENT_BYTES = 192 * 1024
"""The largest event that a hub accepts."""

HUB_ONLY_TYPES = frozenset({"heartbeat", "gap", "malformed", "repaired", "hello", "welcome", "batch"})
"""Types that a hub accepts from no publisher, since it makes or answers them itself."""

ROLES_HEADER = "Voicetop-Roles"
"""The header of a hub's handshake response that lists the roles the client may have, comma-separated."""


class Resume(Struct, frozen=True):
    """The position to resume from."""

    epoch: str
    seq: int


class Hello(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="hello"):
    """A client's first frame. `role` is publisher, viewer, operator or watcher."""

    role: str = "viewer"
    source: Label = ""
    protocol: int = 1
    resume: Resume | None = None


class Welcome(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="welcome"):
    """The hub's reply. `state` is its session's checkpoint as of `seq`; empty if a resume needs none."""

    epoch: str
    seq: int
    oldest_seq: int = 0
    at: float = 0.0
    protocol: int = 1
    server: str = ""
    deployment: str = ""
    state: bytes = b""


class WelcomeHead(Struct, frozen=True, kw_only=True, tag_field="type", tag="welcome"):
    """A welcome with undecoded state, for a client that doesn't use it."""

    epoch: str
    seq: int
    at: float = 0.0
    protocol: int = 1
    server: str = ""
    deployment: str = ""
    state: Raw = Raw()


class Duty(Struct, frozen=True, tag_field="type", tag="duty"):
    """To a watcher: whether it is the active one. Sent before the welcome, and on changes."""

    on: bool


class StateRequest(Struct, frozen=True, tag_field="type", tag="state"):
    """A console's request for the hub's state: its own heartbeats may have made its state diverge.

    The hub first sends everything received so far, then a welcome with the state as of that point.
    """


MAX_REPORT_FIELD = 400
_Short = Annotated[str, Meta(max_length=MAX_REPORT_FIELD)]


class DeliveryReport(Struct, frozen=True, tag_field="type", tag="told"):
    """A watcher has delivered message `mark` of `thread` (an incident) to `target`, which returned `ref`.

    The hub forwards it to the other watchers without interpreting it. Not part of the feed.
    """

    target: _Short
    thread: _Short
    mark: _Short
    ref: _Short = ""


class RawBatch(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="batch"):
    """Stamped events, still raw: recorder and hub pass them on without decoding."""

    seq: int
    at: list[tuple[float, int]]
    events: list[Raw]
    local: bool = False
