"""Calls in full made by hand, for `synthetic`: one that is stuck, one that went well, one whose stages overlap."""

from __future__ import annotations

import random
from collections.abc import Sequence

from msgspec.structs import replace

from voicetop.engine.snapshot import NAN, CallDetail, CallEventItem, CallRow, KnownSegment, TurnRow, View

SAID = (
    ("hola, llamo por una factura", "Claro. ¿Me dice su número de cuenta?"),
    ("termina en ocho ocho cuatro uno", "Gracias, ya la veo."),
    (
        (
            "quiero saber por qué me cobraron dos veces el mismo día si yo solo hice un pedido y además el segundo "
            "cargo es por un importe distinto al que me dijeron por teléfono"
        ),
        "Un momento, lo reviso. Veo dos cargos del día 3: uno de 42,90 y otro de 17,20, que es el envío urgente.",
    ),
    ("yo no pedí envío urgente", "Entiendo. Puedo devolvérselo si usted quiere."),
    ("sí, por favor", "De acuerdo, ¿lo devuelvo a la misma tarjeta?"),
)
WEIGHTS = (("faster", 0.15), ("louder", 0.20), ("interrupts", 0.20), ("repeats", 0.25), ("waiting", 0.20))


def find(rows: Sequence[CallRow], view: View, at: float) -> CallDetail | None:
    """What a session would give for the view's `call_id`."""
    for row in rows:
        if view.call_id and row.call_id == view.call_id:
            return story(row, at)
    return None


def story(row: CallRow, at: float) -> CallDetail:
    """A call with five turns behind it, and one that is waited for where its row says so."""
    rnd = random.Random(row.call_id)
    started = at - row.age_s
    turns = [_turn(i, started + 12 + i * 14, rnd) for i in range(5)]
    items = (
        CallEventItem(started + 70, "tool", "get_invoices ok", '{"account": "…8841"} → 2 invoices', 240.0),
        CallEventItem(started + 71, "barge-in", "barge-in", "", 2_100.0),
        CallEventItem(started + 71.5, "audio", "user", "182 words per minute · -21 dBFS · SNR 14 dB"),
        CallEventItem(started + 72, "step", "lookup"),
    )
    turns[3] = replace(turns[3], items=items)
    if row.eyes == "stuck":
        turns.append(_stuck(row, at))
    return CallDetail(
        row=row,
        started=started,
        source="agent-7",
        direction="inbound",
        platform="pipecat",
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        turns=tuple(turns),
        before=(CallEventItem(started, "start", "pipecat", "inbound"),),
        segments=tuple(
            KnownSegment(name, value, started + (0 if name in ("tier", "version") else 16))
            for name, value in row.segments
        ),
        spent=(("llm", 0.086), ("tts", 0.031), ("stt", 0.024)),
        signals=(("faster", 0.4), ("interrupts", 0.5), ("repeats", 1.0), ("waiting", 0.9)),
        weights=WEIGHTS,
        opinions=(("rules", "no success · asked twice for the same thing"),),
    )


def _turn(index: int, at: float, rnd: random.Random) -> TurnRow:
    stages = (
        ("stt", rnd.uniform(90, 180)),
        ("eou", rnd.uniform(250, 350)),
        ("llm_ttft", rnd.uniform(300, 1500)),
        ("tts_ttfb", rnd.uniform(80, 160)),
    )
    user, agent = SAID[index]
    return TurnRow(
        index=index,
        at=at,
        e2e_ms=sum(ms for _, ms in stages),
        stages=stages,
        additive=True,
        user_text=user,
        agent_text=agent,
        step=("greeting", "verify", "ask_account", "lookup", "resolve")[index],
        measured_from="vad_stop",
        confidence=0.93,
    )


def _stuck(row: CallRow, at: float) -> TurnRow:
    retry = CallEventItem(at - 9, "retry", "LLM overloaded", "acme-llm · HTTP 429 · rate limited")
    return TurnRow(
        index=5,
        at=at - row.waiting_s,
        status="waiting",
        user_text="¿sigue ahí?",
        step="resolve",
        waiting_s=row.waiting_s,
        stage=row.stage,
        items=(
            retry,
            replace(retry, at=at - 6),
            replace(retry, at=at - 3),
            CallEventItem(at - 1, "error", "LLM overloaded", "acme-llm · HTTP 429 · gave up", bad=True),
        ),
    )


def overlapping(row: CallRow, at: float) -> CallDetail:
    """The same as a platform tells it whose stages run beside each other (LiveKit)."""
    made = story(row, at)
    turns = tuple(replace(t, additive=False, e2e_ms=t.e2e_ms * 0.8) if t.stages else t for t in made.turns)
    return replace(made, turns=turns, platform="livekit")


def ended(row: CallRow, at: float) -> CallDetail:
    """One that failed half a minute ago."""
    over = replace(
        row,
        state="ended",
        ended_at=at - 30,
        reason="error",
        outcome="no success",
        waiting_s=NAN,
        stage="",
        eyes="",
    )
    made = story(over, at)
    end = CallEventItem(at - 30, "end", "error", "agent crashed", bad=True)
    last = replace(made.turns[-1], status="no_reply", e2e_ms=NAN, stages=(), agent_text="", items=(end,))
    return replace(made, turns=(*made.turns[:-1], last))


def hostile(text: str, row: CallRow, at: float) -> CallDetail:
    """A call with `text` wherever a feed's words can come to stand."""
    made = story(row, at)
    item = CallEventItem(at, text, text, text, 3.0, bad=True)
    turn = TurnRow(
        index=0,
        at=at,
        status=text,
        stages=((text, 300.0),),
        additive=True,
        user_text=text,
        agent_text=text,
        step=text,
        measured_from=text,
        items=(item,),
    )
    return replace(
        made,
        row=row,
        source=text,
        direction=text,
        platform=text,
        trace_id=text,
        turns=(turn, replace(turn, index=1, status="waiting", waiting_s=3.0, stage=text)),
        before=(item,),
        segments=(KnownSegment(text, text, at),),
        spent=((text, 1.0),),
        signals=((text, 0.5),),
        weights=((text, 0.5),),
        opinions=((text, text),),
    )
