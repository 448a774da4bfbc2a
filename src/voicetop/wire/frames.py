"""What travels between hub and console: text frames of JSON, each one of these Structs.

    console → hub    {"type":"hello","role":"viewer","resume":{"epoch":"3f…","seq":812}}
    hub → console    {"type":"welcome","epoch":"3f…","seq":900,"oldest_seq":400,"state":"<base64 checkpoint>"}
                     {"type":"batch","seq":901,"at":[[1760000000.25,3],[1760000000.27,1]],"events":[{…},{…},{…},{…}]}
                     {"type":"gap", …}      an event of its own, see `events.Gap`
                     {"type":"duty","on":true}    to watchers only: of several, this one tells people
    console → hub    {"type":"state"}             what the hub holds, once what was sent by now has been
    watcher ↔ hub    {"type":"told", …}           what one of several watchers has told, for the others to know
    publisher → hub  {"type":"hello","role":"publisher","source":"agent-7"}, then events, or arrays of them

A batch carries consecutive events from `seq` on; `at` says in runs [receive time, number of events] when the hub
received them, never decreasing. A batch that a source made up itself while the hub was silent, or to tell of a gap,
is `local`: it has no place in the hub's numbering and `seq` repeats the last one seen.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

ROLES_HEADER = "Voicetop-Roles"
"""A hub's answer to a websocket handshake says in this header what the client may be, with commas between."""


class Resume(Struct, frozen=True):
    """Where a console left off."""

    epoch: str
    seq: int


class Hello(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="hello"):
    """A client's first frame. `role` is publisher, viewer, operator or watcher."""

    role: str = "viewer"
    source: str = ""
    protocol: int = 1
    resume: Resume | None = None


class Welcome(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="welcome"):
    """The hub's answer. `state` is its session's checkpoint as of `seq`; empty where a resume goes on without."""

    epoch: str
    seq: int
    oldest_seq: int = 0
    at: float = 0.0
    protocol: int = 1
    server: str = ""
    deployment: str = ""
    state: bytes = b""


class WelcomeHead(Struct, frozen=True, kw_only=True, tag_field="type", tag="welcome"):
    """A welcome whose state stays as it came: for a client that doesn't fold it."""

    epoch: str
    seq: int
    at: float = 0.0
    protocol: int = 1
    server: str = ""
    deployment: str = ""
    state: Raw = Raw()


class Duty(Struct, frozen=True, tag_field="type", tag="duty"):
    """To a watcher: whether it is the one that tells people. Ahead of the welcome, and when that changes."""

    on: bool


class WantState(Struct, frozen=True, tag_field="type", tag="state"):
    """A console's wish for the hub's state: it made up time of its own, so that what it holds may not be the hub's.

    The hub sends on what came by then, and after it a welcome with the state as of there.
    """


MAX_REPORT_FIELD = 400
_Short = Annotated[str, Meta(max_length=MAX_REPORT_FIELD)]


class DeliveryReport(Struct, frozen=True, tag_field="type", tag="told"):
    """One watcher has told `target` of `thread` (an incident); `mark` says what of it, `ref` is what the target gave.

    The hub hands it to the other watchers and reads nothing of it. No part of the feed.
    """

    target: _Short
    thread: _Short
    mark: _Short
    ref: _Short = ""


class RawBatch(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="batch"):
    """Stamped events, still raw: what recorder and hub handle without reading them."""

    seq: int
    at: list[tuple[float, int]]
    events: list[Raw]
    local: bool = False
