"""What the engine costs above decoding, and what a question costs. Ratios within one run; run it on a quiet machine.

    python benchmarks/engine.py [--rounds 15]

Frames of 512 turn events of about 270 B (a quarter of them with Spanish text), 5,000 live calls in 1,152 segment
cells, a heartbeat every quarter second of stamp time, windows full and expiring: stamp time runs at 20,000 events/s
over a day that was filled before. Two mixes: turns alone, and the mix of a fleet that also tells turn.start, stage,
audio and usage events.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator

import msgspec

from voicetop.engine.snapshot import View
from voicetop.session import Session
from voicetop.wire import events as ev
from voicetop.wire.codec import _frame_decoder as frame_decoder

CALLS, FRAME, RATE = 5_000, 512, 20_000.0
START = 1_760_000_000.0
INTENTS = (
    "book",
    "cancel",
    "billing",
    "support",
    "sales",
    "status",
    "refund",
    "other",
    "faq",
    "hours",
    "move",
    "pay",
)
LANGUAGES = ("en", "es", "fr", "de", "pt", "hi", "ja", "it")
TIERS, VERSIONS = ("free", "pro", "enterprise"), ("v39", "v40", "v41", "v42")
ENGLISH = (
    ("why was I charged twice", "I see two charges on your account."),
    ("I need to move my appointment", "Of course, which day suits you?"),
    ("yes please go ahead", "Done, you will get a message."),
    ("can I talk to a person", "I am connecting you to a colleague."),
)
SPANISH = (
    ("¿por qué me cobraron dos veces?", "Veo dos cargos del día 3."),
    ("quiero cambiar la cita de mañana", "Claro, ¿qué día le conviene?"),
)
CELLS = list(itertools.product(INTENTS, LANGUAGES, TIERS, VERSIONS))


def batch(seq: int, at: float, events: list[ev.AnyEvent]) -> bytes:
    """A wire frame as the hub makes it."""
    head = f'{{"type":"batch","seq":{seq},"at":[[{at:.3f},{len(events)}]],"events":'
    return head.encode() + msgspec.json.encode(events) + b"}"


class Traffic:
    """Frames of one mix, on and on."""

    def __init__(self, *, mixed: bool) -> None:
        self.dice = random.Random(7)
        self.mixed = mixed
        self.at, self.seq, self.count = START, 1, itertools.count()
        self.turn = [0] * CALLS
        self.pending: list[ev.AnyEvent] = []
        self.beat_at = START

    def opening(self) -> list[bytes]:
        """All calls start, and a day of turns is spread behind them, so that every window is full."""
        frames = []
        for first in range(0, CALLS, FRAME):
            events: list[ev.AnyEvent] = [self._start(n) for n in range(first, min(CALLS, first + FRAME))]
            frames.append(self._frame(events))
        for hours in range(24 * 4, 0, -1):
            past = START - hours * 900
            events = [self._turn(self.dice.randrange(CALLS), past + i) for i in range(FRAME)]
            frames.append(self._frame(events))
        for seconds in range(1800, 0, -1):
            events = [self._turn(self.dice.randrange(CALLS), START - seconds) for _ in range(FRAME)]
            frames.append(self._frame(events))
        return frames

    def _start(self, n: int) -> ev.CallStart:
        intent, language, tier, version = CELLS[n % len(CELLS)]
        segments: dict[str, ev.Scalar] = {
            "intent": intent,
            "language": language,
            "tier": tier,
            "version": version,
        }
        return ev.CallStart(
            call_id=f"c_{n:08x}", ts=self.at, event_id=f"e{next(self.count):x}", segments=segments
        )

    def _turn(self, n: int, ts: float) -> ev.Turn:
        pick = self.dice.lognormvariate
        stt, llm, tts = round(pick(4.6, 0.4), 1), round(pick(5.9, 0.5), 1), round(pick(4.9, 0.4), 1)
        self.turn[n] += 1
        said = self.dice.choice(SPANISH if self.dice.random() < 0.25 else ENGLISH)
        return ev.Turn(
            call_id=f"c_{n:08x}", ts=round(ts, 3), event_id=f"e{next(self.count):x}", turn=self.turn[n],
            e2e_ms=round(stt + llm + tts, 1), latency=ev.Latency(stt=stt, llm_ttft=llm, tts_ttfb=tts), additive=True,
            user_text=f"{self.dice.randrange(9999)} {said[0]}", agent_text=said[1],
        )  # fmt: skip

    def _others(self, n: int, ts: float) -> list[ev.AnyEvent]:
        call, turn = f"c_{n:08x}", self.turn[n] + 1
        made: list[ev.AnyEvent] = [
            ev.TurnStart(call_id=call, ts=ts, turn=turn, event_id=f"e{next(self.count):x}"),
            ev.Stage(call_id=call, ts=ts, turn=turn, name="llm", state="start", provider="acme-llm", model="large-3"),
            ev.Stage(call_id=call, ts=ts, turn=turn, name="llm", state="end", provider="acme-llm", model="large-3"),
            ev.Audio(call_id=call, ts=ts, turn=turn, role="user", speech_rate_wpm=151.0, loudness_dbfs=-22.5),
            ev.Usage(call_id=call, ts=ts, component="llm", provider="acme-llm", model="large-3", input_tokens=812,
                     output_tokens=44, cost_usd=0.0021, event_id=f"e{next(self.count):x}"),
        ]  # fmt: skip
        return [*made, self._turn(n, ts)]

    def _frame(self, events: list[ev.AnyEvent]) -> bytes:
        frame = batch(self.seq, self.at, events)
        self.seq += len(events)
        return frame

    def frames(self) -> Iterator[bytes]:
        """On and on: stamp time passes at RATE events a second."""
        while True:
            while len(self.pending) < FRAME:
                n = self.dice.randrange(CALLS)
                ts = self.at - self.dice.random() * 0.4
                self.pending += self._others(n, ts) if self.mixed else [self._turn(n, ts)]
            events, self.pending = self.pending[:FRAME], self.pending[FRAME:]
            self.at += FRAME / RATE
            if self.at >= self.beat_at:
                self.beat_at = self.at + 0.25
                events.append(ev.Heartbeat(ts=self.at, seq=self.seq))
            yield self._frame(events)


def compare(mixed: bool, rounds: int, chunk: int = 100) -> None:
    """Decode alone against decode + engine, the same frames, alternating."""
    traffic = Traffic(mixed=mixed)
    session = Session()
    for frame in traffic.opening():
        session.feed(frame)
    stream = traffic.frames()
    ratios, floor, whole = [], [], []
    for frame in itertools.islice(stream, 300):
        session.feed(frame)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # as console and hub have it
    size = 0
    for _ in range(rounds):
        frames = list(itertools.islice(stream, chunk))
        size = sum(map(len, frames)) // (chunk * FRAME)
        a = timed(lambda frames=frames: [frame_decoder.decode(frame) for frame in frames])  # type: ignore[misc]
        b = timed(lambda frames=frames: [session.feed(frame) for frame in frames])  # type: ignore[misc]
        n = chunk * FRAME
        floor.append(a / n * 1e6)
        whole.append(b / n * 1e6)
        ratios.append(b / a)
    cells = len(session.engine.ledger.cells.ids)
    print(f"{'mixed fleet' if mixed else 'turns only':12s} {size} B/event, {cells} cells, {CALLS} calls: decode "
          f"{statistics.median(floor):.2f} µs, decode + engine {statistics.median(whole):.2f} µs = "
          f"{statistics.median(ratios):.2f}× ({1e6 / statistics.median(whole):,.0f} events/s)")  # fmt: skip
    if not mixed:
        question(session)


def question(session: Session) -> None:
    """P50, P95 and P99 of all metrics for conjunctions, nothing kept from before."""
    ledger = session.engine.ledger
    from voicetop.engine import normals

    for span in ("5m", "30m", "24h"):
        for where in ((), (("intent", "billing"),), (("intent", "billing"), ("language", "es"))):

            def ask(where: tuple[tuple[str, str], ...] = where, span: str = span) -> None:
                cells = ledger.cells.matching(where)
                found = ledger.windows.histograms(span, cells, len(ledger.cells))
                for name, counts in found.items():
                    normals.latencies(name, counts, None, None)

            name = " × ".join(f"{k}={v}" for k, v in where) or "everybody"
            took_ms = statistics.median(timed(ask) for _ in range(9)) * 1e3
            print(f"  all metrics, P50/P95/P99, {span:>3s}, {name:28s} {took_ms:6.2f} ms")
    views = [statistics.median(timed(lambda v=v: session.snapshot(v)) for _ in range(9)) * 1e3  # type: ignore[misc]
             for v in (View(), View(where=(("intent", "billing"),)), View(span="24h"))]  # fmt: skip
    print("  a whole snapshot: " + ", ".join(f"{v:.1f} ms" for v in views))


def timed(what: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    compare(mixed=False, rounds=rounds)
    compare(mixed=True, rounds=rounds)
