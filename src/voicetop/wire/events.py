"""The events of the feed, protocol version 1, as frozen Structs.

`docs/protocol.md` describes them for publishers in other languages. Durations are float milliseconds (`_ms`), money is
float US dollars (`_usd`), times are float epoch seconds. A missing number is NaN, a missing text is empty, a missing
index is -1; none of them is sent. Unknown fields are skipped and unknown types are counted; neither is an error, so
that old and new versions interoperate.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

PROTOCOL_VERSION = 1
NAN = float("nan")

MAX_LABEL = 512
MAX_TEXT = 20_000

SPOKEN_FIELDS = frozenset({"user_text", "agent_text", "arguments", "result"})
"""Fields that hold what callers and agents say."""

Label: TypeAlias = Annotated[str, Meta(max_length=MAX_LABEL)]
"""A name, id or value; a longer one makes its event malformed."""

Text: TypeAlias = Annotated[str, Meta(max_length=MAX_TEXT)]
"""Speech or program output."""

Time: TypeAlias = Annotated[float, Meta(ge=0, le=1e11)]
"""Seconds since the epoch; milliseconds sent by mistake exceed the bound and are rejected as malformed."""

Number: TypeAlias = Annotated[float, Meta(ge=-1e9, le=1e9)]
"""A measured value. Bounded, so that invalid values can't overflow sums in whole microseconds."""

Dollars: TypeAlias = Annotated[float, Meta(ge=-1e6, le=1e6)]
"""Money. Bounded for sums in millionths of a dollar."""

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
"""A count; at most what a JSON number holds exactly in every language."""

Index: TypeAlias = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
"""An index from 0; -1 is none."""

Scalar: TypeAlias = (
    Label
    | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    | Annotated[float, Meta(ge=-1e15, le=1e15)]
    | bool
    | None
)
Segments: TypeAlias = Annotated[dict[Label, Scalar], Meta(max_length=64)]


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

    Not bounded like other numbers: a bound would reject the NaN of a checkpoint; the engine clamps them to its scale.
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

    e2e_ms: Number = NAN
    measured_from: Label = ""
    latency: Durations | None = None
    additive: bool = False
    interrupted: bool = False
    status: Label = "ok"
    user_text: Text = ""
    agent_text: Text = ""
    confidence: Number = NAN
    step: Label = ""


class Tool(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="tool"):
    """A tool call: state is start, ok, error, timeout or cancelled; `arguments` and `result` are JSON text."""

    name: Label
    state: Label
    duration_ms: Number = NAN
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
    playout_ms: Number = NAN
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
    audio_s: Number = 0.0
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
    ttfb_ms: Number = NAN
    total_ms: Number = NAN
    request_id: Label = ""
    retry_count: Count = 0
    status: Label = ""


class Audio(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="audio"):
    """Features of one utterance of the user or the agent."""

    role: Label
    speech_rate_wpm: Number = NAN
    loudness_dbfs: Number = NAN
    pitch_hz: Number = NAN
    snr_db: Number = NAN
    overlap_ms: Number = NAN
    jitter_ms: Number = NAN
    packet_loss_pct: Number = NAN


class CallEnd(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="call.end"):
    """The call is over: reason is user_hangup, agent_hangup, transferred, voicemail, silence_timeout, ..."""

    reason: Text
    party: Label = ""
    step: Label = ""
    duration_s: Number = NAN
    raw_reason: Text = ""


class CallOutcome(CallEvent, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="call.outcome"):
    """The call's outcome according to an evaluator; may arrive minutes after its end, and more than once."""

    evaluator: Label
    success: bool | UnsetType | None = UNSET
    label: Label = ""
    score: Number = NAN
    sentiment: Number = NAN
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
    """A publisher's own health, first on connecting and every 5 s."""

    active_calls: Count = 0
    dropped: Count = 0
    queue: Count = 0
    clock_offset_ms: Number = NAN


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


AnyEvent: TypeAlias = (
    CallStart
    | CallUpdate
    | CallStep
    | TurnStart
    | Stage
    | Turn
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
)

EVENT_TYPES: dict[str, type[Event]] = {str(kind.__struct_config__.tag): kind for kind in AnyEvent.__args__}
