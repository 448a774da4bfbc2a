"""The events of the feed, protocol version 1, as frozen Structs.

`docs/protocol.md` describes them for publishers in other languages. Durations are float milliseconds (`_ms`), money is
float US dollars (`_usd`), times are float epoch seconds. A missing number is NaN, a missing text is empty, a missing
index is -1; none of them is sent. Unknown fields are skipped and unknown types are counted; neither is an error, so
that old and new versions interoperate.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import UNSET, Struct, UnsetType

from voicetop.wire.values import (
    Count,
    Decibels,
    Dollars,
    Hertz,
    Index,
    Label,
    Milliseconds,
    Number,
    Percent,
    Rate,
    Rating,
    ResponseTime,
    Seconds,
    Segments,
    Share,
    Text,
    Time,
)

PROTOCOL_VERSION = 1
NAN = float("nan")

SPOKEN_FIELDS = frozenset({"user_text", "agent_text", "arguments", "result"})
"""Fields that hold what callers and agents say."""


class Event(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type"):
    """The envelope: fields of every event. `ts` is the source's own time."""

    ts: Time
    event_id: Label = ""
    source: Label = ""
    trace_id: Label = ""
    span_id: Label = ""


class CallEvent(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An event of a call, and optionally of one of its turns (index from 0)."""

    call_id: Label
    turn: Index = -1


class Agent(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The agent; its `version` becomes the segment `version` unless the segments have one."""

    id: Label = ""
    name: Label = ""
    version: Label = ""
    prompt_version: Label = ""


class CallStart(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="call.start"):
    """A call is connected. `segments` holds intent, language, tier, region, channel, accent and any others."""

    direction: Label = ""
    platform: Label = ""
    provider_call_id: Label = ""
    caller: Label = ""
    agent: Agent | None = None
    segments: Segments = {}


class CallUpdate(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="call.update"):
    """Something about the call became known or changed; `segments` is a patch, null removes a value."""

    segments: Segments = {}
    state: Label = ""


class CallStep(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="call.step"):
    """The conversation reaches a named point: a flow node, a workflow node, a handoff."""

    step: Label
    prev_step: Label = ""


class TurnStart(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="turn.start"):
    """The user stopped speaking: the caller now waits."""


class Stage(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="stage"):
    """A stage (vad, stt, eou, llm, tool, tts, output) of a reply starts, ends or fails."""

    name: Label
    state: Label
    provider: Label = ""
    model: Label = ""
    request_id: Label = ""


class Durations(Struct, frozen=True, gc=False, kw_only=True):
    """Milliseconds by stage as decoded: all fields are present, so that each packs to the same number of bytes.

    Each is a `ResponseTime`, which `repair.py` sees to: a bound here would reject the NaN of a checkpoint.
    """

    vad: float = NAN
    stt: float = NAN
    eou: float = NAN
    hook: float = NAN
    llm_ttft: float = NAN
    llm_total: float = NAN
    tool: float = NAN
    aggregation: float = NAN
    tts_ttfb: float = NAN
    tts_leading_silence: float = NAN
    output: float = NAN


class Latency(Durations, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Milliseconds by stage as a publisher sends them: unknown ones are omitted from the JSON."""


class Turn(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="turn"):
    """The agent's first audio of its reply, or its failure.

    `e2e_ms` runs from the caller's end of speech to that first audio; `measured_from` is vad_stop, turn_end or
    transcript; `additive`: the stages sum to it. `status` is ok, failed, no_reply, cancelled or noise.
    """

    e2e_ms: ResponseTime = NAN
    measured_from: Label = ""
    latency: Durations | None = None
    additive: bool = False
    interrupted: bool = False
    status: Label = "ok"
    user_text: Text = ""
    agent_text: Text = ""
    confidence: Share = NAN
    step: Label = ""


class Transcript(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="transcript"):
    """Words of the user or the agent as they become known; those that aren't `final` are replaced by the next."""

    role: Label
    text: Text = ""
    final: bool = True


class Tool(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="tool"):
    """A tool call: state is start, ok, error, timeout or cancelled; `arguments` and `result` are JSON text."""

    name: Label
    state: Label
    duration_ms: Milliseconds = NAN
    error_type: Label = ""
    arguments: Text = ""
    result: Text = ""


class Error(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="error"):
    """A component failed. `final`: no retry succeeded; only final errors count in the error rate."""

    component: Label
    category: Label
    error_type: Label = ""
    recoverable: bool = False
    final: bool = True
    retry_count: Count = 0
    provider: Label = ""
    http_status: Count = 0
    message: Text = ""


class Interruption(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="interruption"):
    """One side spoke over the other; `by` is user (a barge-in) or agent."""

    by: Label
    playout_ms: Milliseconds = NAN
    false_positive: bool = False
    backchannel: bool = False


class Usage(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="usage"):
    """Resource usage. `cumulative` values replace earlier ones of this component, provider and model; others add."""

    component: Label
    provider: Label = ""
    model: Label = ""
    input_tokens: Count = 0
    output_tokens: Count = 0
    cached_tokens: Count = 0
    audio_s: Seconds = 0.0
    characters: Count = 0
    cost_usd: Dollars = NAN
    estimated: bool = False
    cumulative: bool = False


class Service(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="service"):
    """The provider and model that actually answered: reveals silent model changes."""

    component: Label
    provider: Label
    model: Label
    fingerprint: Label = ""
    region: Label = ""
    ttfb_ms: Milliseconds = NAN
    total_ms: Milliseconds = NAN
    request_id: Label = ""
    retry_count: Count = 0
    status: Label = ""


class Audio(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="audio"):
    """Features of one utterance of the user or the agent."""

    role: Label
    speech_rate_wpm: Rate = NAN
    loudness_dbfs: Decibels = NAN
    pitch_hz: Hertz = NAN
    snr_db: Decibels = NAN
    overlap_ms: Milliseconds = NAN
    jitter_ms: Milliseconds = NAN
    packet_loss_pct: Percent = NAN


class CallEnd(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="call.end"):
    """The call is over: reason is user_hangup, agent_hangup, transferred, voicemail, silence_timeout, ..."""

    reason: Text
    party: Label = ""
    step: Label = ""
    duration_s: Seconds = NAN
    raw_reason: Text = ""


class CallOutcome(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="call.outcome"):
    """The call's outcome according to an evaluator; may arrive minutes after its end, and more than once."""

    evaluator: Label
    success: bool | UnsetType | None = UNSET
    label: Label = ""
    score: Number = NAN
    sentiment: Rating = NAN
    escalated: bool | None = None
    compliance_violation: bool = False
    reason: Text = ""


class Marker(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="marker"):
    """A change in the world (deploy, model_update, prompt, campaign, ...), drawn on every chart."""

    kind: Label
    label: Label
    version: Label = ""
    segment: Segments = {}


class Security(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="security"):
    """A security incident, or a compliance event outside a call's outcome."""

    kind: Label
    label: Label
    severity: Label = ""
    call_id: Label = ""


class Capacity(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="capacity"):
    """The tested load limit, in calls at once."""

    limit: Count
    tested_at: Time = NAN


class Benchmark(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="benchmark"):
    """One conversation of a model-drift run."""

    suite: Label
    conversation: Label
    score: Number
    version: Label = ""
    model: Label = ""


class Operator(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="operator"):
    """An action of a person: ack, silence, resolve, note, bookmark, ... Part of every recording."""

    act: Label
    by: Label
    target: Label = ""
    text: Text = ""
    until: Time = NAN
    call_id: Label = ""


NOTING = frozenset({"note", "bookmark"})
"""Acts that annotate a time (their `ts`) and change no state."""


class SourceStatus(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="source.status"):
    """A publisher's own health, first on connecting and every 5 s.

    `leaving`: it is about to end on purpose. With no active calls it has then left, and nobody waits to hear from it.
    """

    active_calls: Count = 0
    dropped: Count = 0
    queue: Count = 0
    clock_offset_ms: Number = NAN
    leaving: bool = False


class Heartbeat(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="heartbeat"):
    """Advances time: the hub's, with its head seq; or a source's own (`local`) while the hub is silent."""

    seq: Count
    local: bool = False


class Gap(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="gap"):
    """From the hub to one console: records it missed (why: evicted, epoch, slow)."""

    from_seq: Count
    to_seq: Count
    why: Label


class Malformed(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="malformed"):
    """A payload that isn't an event, stamped by the hub so that every console and recording has it."""

    payload: bytes
    error: Text


class Repaired(Event, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="repaired"):
    """From the hub: since the last heartbeat `count` values of `source` had the same kind of fault.

    Their events were saved. `kind` is one of `wire.repair.KINDS`. `why` names the field of the latest, and its fault;
    `sample` shows it.
    """

    kind: Label
    count: Count
    why: Text
    sample: Text = ""


AnyEvent: TypeAlias = (
    CallStart
    | CallUpdate
    | CallStep
    | TurnStart
    | Stage
    | Turn
    | Transcript
    | Tool
    | Error
    | Interruption
    | Usage
    | Service
    | Audio
    | CallEnd
    | CallOutcome
    | Marker
    | Security
    | Capacity
    | Benchmark
    | Operator
    | SourceStatus
    | Heartbeat
    | Gap
    | Malformed
    | Repaired
)

EVENT_TYPES: dict[str, type[Event]] = {str(kind.__struct_config__.tag): kind for kind in AnyEvent.__args__}
