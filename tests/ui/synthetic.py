"""Snapshots made by hand: the same seed gives the same picture, and `tick` moves it on by quarters of a second."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar, cast

import msgspec

from ui import stories
from ui.synthetic_panels import segments_panel, trends_panel
from voicetop.engine.snapshot import (
    NAN,
    AbandonPanel,
    CallRow,
    CallsPanel,
    CapacityPanel,
    CostPanel,
    ErrorKind,
    ErrorPanel,
    FeedState,
    Figure,
    Latencies,
    LatencyPanel,
    MarkerNote,
    Normal,
    OutcomePanel,
    SentimentPanel,
    Series,
    Snapshot,
    StepShare,
    StuckStage,
    Trouble,
    Verdict,
    View,
    WaitingPanel,
)

AT = 1_795_356_452.0  # 2026-11-22 14:07:32 UTC
STEPS = ("greeting", "verify", "ask_account", "lookup", "resolve", "confirm")
INTENTS = ("billing", "orders", "refund", "support", "cancel")
LANGUAGES = ("en", "es", "de", "hi")


Make = TypeVar("Make", bound=Callable[..., Snapshot])


def kept(make: Make) -> Make:
    """A picture is made once: consoles ask again and again for the same."""
    return cast("Make", lru_cache(maxsize=200)(make))


def figure(value: float, n: int, normal: float = NAN, warn: float = NAN, spread: float = 0.0) -> Figure:
    known = Normal(normal, abs(normal) * 0.05, 4000) if normal == normal else Normal()
    low, high = (value - spread, value + spread) if spread else (NAN, NAN)
    off = value < warn if warn < normal else value > warn
    return Figure(value, n, low, high, known, warn, off=off)


def wave(n: int, low: float, high: float, *, end: float = 0.0, tick: int = 0, step: float = 30.0) -> Series:
    """A calm wave; its last fifth climbs to `end`. `tick` quarter seconds move it on by whole steps."""
    at = AT + tick * 0.25
    last = math.floor(at / step)
    values = []
    for i in range(n):
        k = last - n + 1 + i
        share = (math.sin(k / 7.0) + math.sin(k / 2.3) * 0.4) / 2.8 + 0.5
        value = low + (high - low) * share
        rise = (i - n * 0.8) / (n * 0.2)
        values.append(value + (end - value) * rise if end and rise > 0 else value)
    return Series((last - n + 1) * step, step, tuple(values))


@lru_cache(maxsize=20_000)
def call(index: int, tick: int = 0, *, trouble: str = "", seed: int = 7) -> CallRow:
    """The index-th call of the fleet at a tick; `trouble` is what its `eyes` say."""
    rnd = random.Random(f"{seed}-{index}")
    age = rnd.uniform(5, 600) + tick * 0.25
    waiting_from = rnd.uniform(0, 14)
    phase = (age + waiting_from) % 14
    waiting = 9.8 + rnd.uniform(0, 2) + tick * 0.25 if trouble == "stuck" else (phase if phase < 1.4 else NAN)
    stage = "llm" if trouble == "stuck" else rnd.choice(("stt", "llm", "tts", "tool"))
    segments = (
        ("intent", "billing" if trouble == "stuck" else rnd.choice(INTENTS)),
        ("language", "es" if trouble == "stuck" else rnd.choice(LANGUAGES)),
        ("tier", rnd.choice(("gold", "basic"))),
        ("version", "v42" if trouble == "stuck" else rnd.choice(("v41", "v42"))),
    )
    mood = 0.81 if trouble == "frustrated" else rnd.uniform(0.0, 0.45)
    return CallRow(
        call_id=f"c{rnd.randrange(16**5):05x}",
        state="active" if index % 29 else "held",
        age_s=age,
        turn=1 + int(age // 14),
        step=STEPS[min(len(STEPS) - 1, int(age // 90))],
        waiting_s=waiting,
        stage=stage if waiting == waiting else "",
        e2e_ms=rnd.lognormvariate(6.6, 0.5) * (6 if trouble == "stuck" else 1),
        errors=rnd.choice((1, 2)) if trouble in ("stuck", "failing") else 0,
        cost_usd=age * 0.0006,
        estimated=index % 7 == 0,
        mood=mood,
        mood_of=3 + index % 3,
        eyes=trouble,
        segments=segments,
        caller=f"+1 555 … {rnd.randrange(100):02d}",
        provider="acme-llm" if stage == "llm" else "",
        recent=tuple(rnd.lognormvariate(6.6, 0.5) for _ in range(10)),
    )


def fleet(n: int, tick: int = 0, troubles: tuple[tuple[str, int], ...] = ()) -> list[CallRow]:
    words = [word for word, many in troubles for _ in range(many)]
    return [call(i, tick, trouble=words[i] if i < len(words) else "") for i in range(n)]


def ended(row: CallRow, index: int) -> CallRow:
    reason = ("completed", "user_hangup", "error", "transferred")[index % 4]
    return msgspec.structs.replace(
        row, state="ended", reason=reason, ended_at=AT - index * 3, waiting_s=NAN, stage="", outcome="success"
    )


SORTS: dict[str, Callable[[CallRow], object]] = {
    "intent": lambda row: row.segment("intent"),
    "language": lambda row: row.segment("language"),
    "tier": lambda row: row.segment("tier"),
    "version": lambda row: row.segment("version"),
    "age": lambda row: -row.age_s,
    "e2e": lambda row: -row.e2e_ms,
    "cost": lambda row: -row.cost_usd,
    "ended": lambda row: -row.ended_at,
    "waiting": lambda row: -row.waiting_s if row.waiting_s == row.waiting_s else 1e9,
}


def calls_panel(rows: list[CallRow], view: View, limit: int | None = None) -> CallsPanel:
    """The rows that a session would give for a view (a word filter only)."""
    of = len(rows)
    if view.ended:
        rows = [ended(row, i) for i, row in enumerate(rows[: of // 2])]
    words = view.text.lower().split()
    kept = [row for row in rows if all(word in repr(row).lower() for word in words)]
    if view.sort != "eyes":
        kept.sort(key=SORTS.get(view.sort, lambda row: getattr(row, view.sort)))  # type: ignore[arg-type]
    if view.reverse:
        kept.reverse()
    offset = min(view.offset, max(0, len(kept) - 1))
    stuck, failing, frustrated = (
        sum(row.eyes == word for row in rows) for word in ("stuck", "failing", "frustrated")
    )
    return CallsPanel(
        rows=tuple(kept[offset : offset + (limit or view.limit)]),
        offset=offset,
        total=len(kept),
        of=of,
        position=next((i for i, row in enumerate(kept) if view.call_id and row.call_id == view.call_id), -1),
        stuck=stuck,
        failing=failing,
        frustrated=frustrated,
    )


def empty(view: View | None = None, tick: int = 0) -> Snapshot:
    """A feed that has said nothing yet."""
    return Snapshot(
        at=AT + tick * 0.25,
        view=view or View(),
        feed=FeedState(epoch="e1", seq=12, lag_s=0.02, last_at=AT + tick * 0.25),
        verdict=Verdict(
            "learning", "no calls right now · learning what is normal, 25 min to go", learning_s=1500.0
        ),
        capacity=CapacityPanel(),
        waiting=WaitingPanel(),
        latency=LatencyPanel(Latencies("e2e")),
        errors=ErrorPanel(),
        outcome=OutcomePanel(),
        abandonment=AbandonPanel(),
        cost=CostPanel(),
        mood=SentimentPanel(),
        calls=CallsPanel(),
        deployment="acme-prod",
    )


@kept
def busy(view: View | None = None, tick: int = 0, n: int = 388) -> Snapshot:
    """All is well."""
    view = view or View()
    rows = fleet(n, tick)
    split = (
        ("stt", 142.0),
        ("eou", 310.0),
        ("llm_ttft", 214.0),
        ("tool", 0.0),
        ("tts_ttfb", 88.0),
    )
    jitter = math.sin(tick / 5) * 8
    return msgspec.structs.replace(
        empty(view, tick),
        feed=FeedState(
            "e1",
            90_000 + tick * 125,
            0.21,
            last_at=AT + tick * 0.25,
            events=90_000,
            events_per_s=503.4,
            publishers=3,
        ),
        verdict=Verdict("ok", f"{n} calls · all figures normal · 65 % of tested limit"),
        capacity=CapacityPanel(
            n, 600, AT - 86400, 438, AT - 1800, 84.2, 276.0, NAN, wave(60, 300, 420, tick=tick)
        ),
        waiting=WaitingPanel(23, 0, 8.0, 2.1, (StuckStage("llm", 0, 14, 2.1), StuckStage("tts", 0, 9, 0.7))),
        latency=LatencyPanel(
            e2e=Latencies(
                "e2e",
                figure(742.0 + jitter, 5812 + tick, 735.0, 1100.0),
                figure(1642.0 + jitter, 5812 + tick, 1630.0, 2445.0),
                figure(2904.0 + jitter, 5812 + tick, 2950.0, 4425.0),
            ),
            stages=tuple(
                Latencies(
                    name, figure(p, 5812, p), figure(p * 2.1, 5812, p * 2.0), figure(p * 3.4, 5812, p * 3.4)
                )
                for name, p in (
                    ("stt", 142.0),
                    ("eou", 310.0),
                    ("llm_ttft", 214.0),
                    ("tool", 210.0),
                    ("tts_ttfb", 88.0),
                )
            ),
            split=tuple((name, figure(value, 5812, value or NAN)) for name, value in split),
            chart=wave(60, 1450, 1900, tick=tick),
            measured_from=(("vad_stop", 5600), ("transcript", 212)),
        ),
        errors=ErrorPanel(
            rate=figure(0.0121, 631, 0.012, 0.03, 0.008),
            kinds=(
                ErrorKind("stt", "timeout", figure(0.006, 631)),
                ErrorKind("tool", "payment 503", figure(0.004, 631)),
                ErrorKind("tts", "no_output", figure(0.002, 631)),
            ),
            chart=wave(60, 0.008, 0.016, tick=tick),
            chart_warn=0.03,
            hours=wave(24, 0.005, 0.02, step=3600.0, tick=tick),
            retried=12,
        ),
        outcome=OutcomePanel(
            success=figure(0.914, 402, 0.914, 0.87, 0.021),
            coverage=figure(0.93, 432),
            escalation=figure(0.061, 402, 0.06, 0.1, 0.02),
            containment=figure(0.939, 402),
            chart=wave(60, 0.88, 0.93, tick=tick),
        ),
        abandonment=AbandonPanel(
            rate=figure(0.04, 402, 0.04, 0.06, 0.019),
            steps=(StepShare("ask_account", 300, 7, 0.41), StepShare("verify", 350, 3, 0.18)),
            chart=wave(60, 0.03, 0.05, tick=tick),
        ),
        cost=CostPanel(
            per_call=figure(0.084, 402, 0.084, 0.12),
            shares=(("llm", 0.61), ("tts", 0.22), ("stt", 0.17)),
            estimated=0.2,
            chart=wave(60, 0.08, 0.09, tick=tick),
        ),
        mood=SentimentPanel(
            sentiment=figure(3.9, 211, 3.8, 3.3),
            frustrated=figure(0.005, 388, 0.01, 0.05),
            interruptions=figure(6.2, 5812, 6.0, 12.0),
        ),
        calls=calls_panel(rows, view),
        detail=stories.find(rows, view, AT + tick * 0.25),
        needing_eyes=(),
        dimensions=("intent", "language", "tier", "version", "hour"),
        segments=segments_panel(view, bad=False),
        trends=trends_panel(view, AT + tick * 0.25, bad=False),
        markers=(MarkerNote(AT - 600, "deploy", "v42"),),
    )


@kept
def incident(view: View | None = None, tick: int = 0, n: int = 412) -> Snapshot:
    """The sketch's incident: an LLM provider is overloaded, for Spanish billing calls on v42."""
    view = view or View()
    calm = busy(view, tick, n)
    rows = fleet(n, tick, (("stuck", 31), ("failing", 4), ("frustrated", 2)))
    llm = Latencies(
        "llm_ttft",
        figure(2610.0, 5812, 214.0, 321.0),
        figure(3210.0, 5812, 428.0, 642.0),
        figure(4380.0, 5812, 728.0, 1092.0),
    )
    slow = dict(calm.latency.split) | {"llm_ttft": llm.p50}
    return msgspec.structs.replace(
        calm,
        verdict=Verdict(
            "degraded",
            "P95 response 3,910 ms = 2.4× normal (n 312) · LLM +1,900 ms · billing × es × v42 explain 91 % · 31 calls",
            since=AT - 380,
            troubles=(
                Trouble(
                    *(
                        "latency",
                        AT - 380,
                        "degraded",
                        3910,
                        1630,
                        312,
                    ),
                    where=(("intent", "billing"), ("language", "es"), ("version", "v42")),
                    explains=0.91,
                    stage="llm_ttft",
                ),
                Trouble("errors", AT - 360, "degraded", 0.041, 0.012, 631),
                Trouble("abandonment", AT - 300, "degraded", 0.062, 0.04, 402),
            ),
        ),
        capacity=CapacityPanel(
            n, 600, AT - 86400, 438, AT - 1800, 84.2, 276.0, 41.0, wave(60, 300, 420, tick=tick)
        ),
        waiting=WaitingPanel(
            97,
            31,
            8.0,
            41.3,
            (
                StuckStage("llm", 29, 80, 41.3, "acme-llm"),
                StuckStage("tts", 2, 9, 9.1),
                StuckStage("", 0, 8, 1.0),
            ),
        ),
        latency=msgspec.structs.replace(
            calm.latency,
            e2e=Latencies(
                "e2e",
                figure(742.0, 5812, 735.0, 1100.0),
                msgspec.structs.replace(figure(3910.0, 5812, 1630.0, 2445.0), at_least=True),
                figure(6204.0, 5812, 2950.0, 4425.0),
            ),
            stages=tuple(llm if stage.name == "llm_ttft" else stage for stage in calm.latency.stages),
            split=tuple(slow.items()),
            chart=wave(60, 1450, 1900, end=3910.0, tick=tick),
            culprit="llm_ttft",
            culprit_ms=1900.0,
        ),
        errors=msgspec.structs.replace(
            calm.errors,
            rate=figure(0.041, 631, 0.012, spread=0.015),
            chart_warn=NAN,
            kinds=(
                ErrorKind("llm", "overloaded", figure(0.029, 631)),
                ErrorKind("stt", "timeout", figure(0.006, 631)),
                ErrorKind("tool", "payment 503", figure(0.004, 631)),
                ErrorKind("tts", "no_output", figure(0.002, 631)),
            ),
            hours=wave(24, 0.005, 0.02, end=0.041, step=3600.0, tick=tick),
        ),
        outcome=msgspec.structs.replace(calm.outcome, success=figure(0.861, 402, 0.914, 0.87, 0.033)),
        abandonment=msgspec.structs.replace(calm.abandonment, rate=figure(0.062, 402, 0.04, spread=0.023)),
        mood=msgspec.structs.replace(calm.mood, sentiment=Figure(2.9, 12, few=True)),
        calls=calls_panel(rows, view),
        detail=stories.find(rows, view, AT + tick * 0.25),
        needing_eyes=tuple(row for row in rows if row.eyes)[:40],
        segments=segments_panel(view, bad=True),
        trends=trends_panel(view, AT + tick * 0.25, bad=True),
    )


def young(view: View | None = None, tick: int = 0) -> Snapshot:
    """A feed with data for a little over two minutes, which is too little to call anything normal."""
    calm = busy(view, tick)
    feed = msgspec.structs.replace(calm.feed, covered_s=130.0)
    learning = Verdict("learning", "388 calls · learning baseline, 13 min left", learning_s=770.0)
    return msgspec.structs.replace(calm, feed=feed, verdict=learning)


def recovering(view: View | None = None, tick: int = 0) -> Snapshot:
    """The incident is over, and the five minutes still contain it."""
    bad = incident(view, tick)
    over = tuple(
        msgspec.structs.replace(trouble, recovered=AT - 170.0) for trouble in bad.verdict.troubles[1:2]
    )
    text = "no error for 2 min 50 s · 5-min rate 4.1 %, falling"
    calm = busy(view, tick)
    return msgspec.structs.replace(
        calm, errors=bad.errors, verdict=Verdict("recovering", text, AT - 360, over)
    )


def catching_up(view: View | None = None, tick: int = 0) -> Snapshot:
    """A publisher sends what happened up to 26 minutes ago."""
    nothing = empty(view, tick)
    loading = Verdict("catching_up", "history is loading, events are 26 min behind")
    return msgspec.structs.replace(
        nothing, verdict=loading, feed=msgspec.structs.replace(nothing.feed, lag_s=1574.8, behind_s=1574.8)
    )


def blind(view: View | None = None, tick: int = 0) -> Snapshot:
    """The hub fell silent eleven seconds ago."""
    calm = busy(view, tick)
    return msgspec.structs.replace(
        calm,
        feed=msgspec.structs.replace(calm.feed, silent_s=11.0, local=True, last_at=AT - 11.0),
        verdict=Verdict("blind", "feed silent for 11 s", since=AT - 11.0),
    )


HOSTILE = (
    "\x1b]0;pwned\x07\x9b31m\x1b[2J[@click=app.quit]x[/x] \u202egnp.exe e\u0301\u0301\u0301\u0301 漢字 👩‍💻"
)
"""What a feed may say; a Snapshot holds it only after `wire.text` has cleaned it."""


def hostile(text: str, view: View | None = None, tick: int = 0) -> Snapshot:
    """The incident with `text` wherever a feed's words can come to stand."""
    base = incident(view, tick, 40)
    rows = tuple(
        msgspec.structs.replace(
            row,
            call_id=f"{index} {text}",
            state=text,
            step=text,
            stage=text,
            caller=text,
            provider=text,
            reason=text,
            outcome=text,
            segments=(*((key, text) for key, _ in row.segments), (text, text)),
        )
        for index, row in enumerate(base.calls.rows)
    )
    swap = msgspec.structs.replace
    return swap(
        base,
        deployment=text,
        detail=stories.hostile(text, rows[0], AT) if base.view.call_id else None,
        view=swap(base.view, where=((text, text),)),
        verdict=swap(base.verdict, text=text),
        calls=swap(base.calls, rows=rows, error=""),
        needing_eyes=rows[:20],
        errors=swap(
            base.errors, kinds=tuple(swap(kind, component=text, category=text) for kind in base.errors.kinds)
        ),
        abandonment=swap(base.abandonment, steps=(StepShare(text, 10, 5, 0.5),)),
        cost=swap(base.cost, shares=((text, 0.7),)),
        waiting=swap(base.waiting, stages=(StuckStage(text, 3, 5, 9.0, text),)),
        latency=swap(base.latency, split=((text, figure(100.0, 10)),), culprit=text),
        markers=(MarkerNote(AT - 300, text, text),),
        dimensions=(text,),
    )
