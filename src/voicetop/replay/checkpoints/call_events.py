"""The events of calls as stamps of records, and these records read back: a checkpoint need not repeat them.

While a session folds a recording, `CallEventIndex` notes which record each event of a call was. `CallEventReader` reads
them again, in some milliseconds a call, when somebody looks into it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Raw, Struct
from msgspec.structs import force_setattr

from voicetop.engine.call_events import Seqs, StoredEvents
from voicetop.engine.calls import Call
from voicetop.recording.compression import ZstdDecompressor, ZstdError
from voicetop.recording.index import IndexedBlock
from voicetop.session import Session
from voicetop.wire.batches import UNDECODABLE
from voicetop.wire.cleaning import clean_events
from voicetop.wire.codec import Batch
from voicetop.wire.events import (
    AnyEvent,
    Audio,
    CallEnd,
    CallOutcome,
    CallStart,
    CallStep,
    CallUpdate,
    Error,
    Interruption,
    Service,
    Tool,
    Transcript,
    Turn,
)

HELD_BLOCKS = 512
"""Blocks whose lines are held for the next story: calls that are on the line together stand in the same ones."""
_OF_CALLS = frozenset(
    [
        *(Audio, CallEnd, CallOutcome, CallStart, CallStep, CallUpdate, Error, Interruption, Service, Tool),
        *(Transcript, Turn),
    ]
)


class CallEventIndex:
    """Which record each event of a call is, for all calls of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers: dict[int, int] = {}
        """By the identity of events: those that are in a story stay alive, and whoever takes the place of another
        has a number of its own since."""
        self._stories: dict[str, tuple[list[AnyEvent], Seqs]] = {}
        self._next: dict[str, tuple[list[AnyEvent], Seqs]] = {}
        session.on_batch.append(self._look)

    def _look(self, batch: Batch) -> None:
        """Times are corrected where a clock is off, by what nobody remembers: such events are not in the recording."""
        numbers = self._numbers
        if batch.seq >= 0 and not self._session.engine.feed.skewed:
            numbers.update(
                (id(event), seq)
                for seq, event in enumerate(batch.events, batch.seq)
                if type(event) in _OF_CALLS
            )
        else:
            for event in batch.events:
                numbers.pop(id(event), None)

    def close(self) -> None:
        """Stop following the session."""
        self._session.on_batch.remove(self._look)

    def forget(self) -> None:
        """The numbering begins anew, or calls came from elsewhere: earlier records can't be found again."""
        self._numbers.clear()
        self._stories.clear()

    def stamps(self, call: Call) -> Seqs:
        """The stamps of a call's events, -1 of those in no recording. Ask for all calls, then `go_on`."""
        story = call.story
        if not story:
            return _NOTHING
        held = self._stories.get(call.call_id)
        if held is not None and held[0] is story:
            known = held[1]
        else:
            known = story.seqs if isinstance(story, StoredEvents) else _NOTHING
        since = (
            story.appended()[len(known) - story.unloaded :]
            if isinstance(story, StoredEvents)
            else story[len(known) :]
        )
        seqs = known
        if since:
            find = self._numbers.get
            seqs = np.concatenate([known, np.array([find(id(event), -1) for event in since], np.int64)])
        self._next[call.call_id] = (story, seqs)
        return seqs

    def go_on(self) -> None:
        """All calls were asked for: remember their stamps, and nothing else."""
        self._stories, self._next = self._next, {}
        self._numbers.clear()


_NOTHING: Seqs = np.empty(0, np.int64)


class _Line(Struct, frozen=True, gc=False):
    seq: int = -1
    at: float = 0.0
    raw: Raw = Raw(b"null")
    local: bool = False


_line_decoder = msgspec.json.Decoder(_Line)
_event_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class CallEventReader:
    """Reads events of a recording by their stamps, those of the feed that the last of `blocks` belongs to."""

    def __init__(self, path: Path, blocks: list[IndexedBlock]) -> None:
        self._path = path
        self._blocks = _of_one_feed(blocks)
        self._firsts = [block.first_seq for block in self._blocks]
        self._held: OrderedDict[int, list[bytes]] = OrderedDict()

    def __call__(self, call_id: str, seqs: list[int]) -> dict[int, AnyEvent]:
        """The events of a call, as a session folded them. What can't be read any more is left out."""
        found = {}
        for seq in seqs:
            line = self._line(seq)
            event = _event(line) if line is not None else None
            if event is not None and getattr(event, "call_id", "") == call_id:
                found[seq] = event
        return found

    def _line(self, seq: int) -> _Line | None:
        number = bisect_right(self._firsts, seq) - 1
        if number < 0:
            return None
        lines = self._lines(number)
        guess = seq - self._firsts[number]
        near = lines[guess : guess + 1] if guess < len(lines) else []
        for text in (*near, *lines):
            line = _parsed(text)
            if line is not None and line.seq == seq and not line.local:
                return line
        return None

    def _lines(self, number: int) -> list[bytes]:
        lines = self._held.pop(number, None)
        if lines is None:
            lines = self._read(self._blocks[number])
            if len(self._held) >= HELD_BLOCKS:
                self._held.popitem(last=False)
        self._held[number] = lines
        return lines

    def _read(self, block: IndexedBlock) -> list[bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(block.offset)
                text = ZstdDecompressor().decompress(file.read(block.size))
        except (OSError, ZstdError):
            return []
        return [line for line in text.split(b"\n") if line]


def _of_one_feed(blocks: list[IndexedBlock]) -> list[IndexedBlock]:
    """Those behind which numbers never step back: a new feed in the same file numbers anew."""
    last = -1
    kept: list[IndexedBlock] = []
    for block in reversed(blocks):
        if block.first_seq < 0:
            continue
        if last >= 0 and block.first_seq > last:
            break
        last = block.first_seq
        kept.append(block)
    return kept[::-1]


def _parsed(text: bytes) -> _Line | None:
    try:
        return _line_decoder.decode(text)
    except UNDECODABLE:
        return None


def _event(line: _Line) -> AnyEvent | None:
    """The event of a line as the codec and the engine leave it: text made safe, a turn no later than its receipt."""
    try:
        event = _event_decoder.decode(line.raw)
    except UNDECODABLE:
        return None
    clean_events([event])
    if type(event) is Turn and event.ts > line.at:
        force_setattr(event, "ts", line.at)
    return event
