"""Keeping states of a session as it folds a recording, and restoring them.

A checkpoint is finished when the next one comes: only then is it known what a replay from one to the other needs of
what was left in the recording. The turns of calls that changed their cell or lost their events are stored with it, and
how many ids were new; so a seek that ends before the next checkpoint reads nothing back. One that goes on beyond reads
what it then needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import msgspec
from msgspec import Struct

from voicetop.engine.call_events import StoredEvents, merged
from voicetop.engine.calls import Call
from voicetop.engine.windows.ledger import packed_turns
from voicetop.errors import CheckpointError, RecordingError, WireError
from voicetop.recording.compression import zstd_decompress
from voicetop.recording.index import IndexedBlock
from voicetop.recording.reader import Place
from voicetop.replay.checkpoints.call_events import CallEventIndex, CallEventReader
from voicetop.replay.checkpoints.deltas import DeltaEncoder, PackedPart, patch, patched, whole
from voicetop.replay.checkpoints.state_parts import SplitState, StatePart, join_state, split_state
from voicetop.replay.checkpoints.store import (
    Checkpoints,
    PartStore,
    SavedCheckpoint,
    SeenIds,
    block_mark,
    named,
)
from voicetop.replay.checkpoints.turn_notes import pack_notes, unpack_notes
from voicetop.session import Session
from voicetop.wire.codec import Codec
from voicetop.wire.duplicates import Duplicates, OrderedDuplicates, StoredIds
from voicetop.wire.events import AnyEvent, Turn

Frames: TypeAlias = Callable[[Place, str, Place], Iterable[bytes]]
"""The frames of a recording from one place (and its epoch) to another."""

_BEGINNING = Place(0, 0)
_turns_decoder = msgspec.msgpack.Decoder(tuple[list[int], bytes])
_base_decoder = msgspec.msgpack.Decoder(tuple[list[str], list[str]])


class _Draft(Struct, frozen=True):
    """A checkpoint that waits for the next one. Of each call with a story: its place among all, itself, its cell, its
    story, how long that was and what it amended; and how many ids had come and how many were dropped.
    """

    saved: SavedCheckpoint
    parts: dict[bytes, PackedPart]
    calls: list[tuple[int, Call, int, list[AnyEvent], int, tuple[tuple[int, int], ...]]]
    came: int
    dropped: int


class CheckpointWriter:
    """Follows a session through a recording, from its beginning, or from `resumed` on.

    Call `moved` after each frame, `keep` at a heartbeat, and `close` at the end. Raises OSError where the store does.
    """

    def __init__(self, session: Session, store: Checkpoints, resumed: SavedCheckpoint | None = None) -> None:
        self._session = session
        self._store = store
        self._call_events = CallEventIndex(session)
        self._deltas = DeltaEncoder(self._content)
        self._draft: _Draft | None = None
        self._ids = _IdsFrom(
            session, resumed.place if resumed else _BEGINNING, resumed.epoch if resumed else ""
        )

    def moved(self, place: Place | None, epoch: str, *, welcome: bool) -> None:
        """The frame that began at `place` (None: where nobody can enter) was fed."""
        if welcome:
            self.finish()
            self._call_events.forget()
            self._ids.begin(place or _BEGINNING, epoch)
        else:
            self._ids.moved(place, epoch)

    def keep(self, place: Place, until: float, room: float) -> int:
        """Keep the state behind `place` if it takes no more than `room` bytes; returns how many it takes.

        Where it takes more, the one before waits on.
        """
        session = self._session
        state = session.state(whole=False)
        known = {*self._store.parts, *(self._draft.parts if self._draft else ())}
        split = split_state(state, session.engine, self._call_events.stamps, known)
        self._call_events.go_on()
        ids, base = self._ids.at(place, session.epoch)
        if base and ids.base not in known:
            split.parts[ids.base] = StatePart("ids", base)
        parts = self._deltas.pack(split)
        size = _size(parts)
        if size > room:
            return size
        self.finish(split)
        self._deltas.go_on()
        mark = block_mark(self._store.recording, place.offset)
        calls = [*state.live, *state.ended, *state.failed]
        self._draft = _Draft(
            SavedCheckpoint(place, until, session.epoch, session.deployment, mark, ids, split.body),
            parts,
            [
                (n, call, call.cell, call.story, len(call.story), tuple(call.amendments))
                for n, call in enumerate(calls)
                if call.story
            ],
            self._ids.came,
            session.codec.stats.duplicates,
        )
        return size

    def _content(self, name: bytes) -> bytes:
        """What is in a part, one of the checkpoint that waits too."""
        part = self._draft.parts.get(name) if self._draft else None
        if part is None:
            return self._store.content(name)
        return patched(self._content(part.base), part.packed) if part.base else zstd_decompress(part.packed)

    def close(self) -> None:
        """Follow the session no longer. Raises OSError where the last checkpoint can't be written."""
        self._call_events.close()
        self.finish()

    @property
    def waiting(self) -> int:
        """Bytes of the checkpoint that isn't written yet."""
        return _size(self._draft.parts) if self._draft else 0

    def finish(self, following: SplitState | None = None) -> None:
        """Write the checkpoint that waits, with what is known by now, at best the state that follows on it."""
        draft, self._draft = self._draft, None
        if draft is None:
            return
        touched = {
            number: _notes(story, length, amendments)
            for number, call, cell, story, length, amendments in draft.calls
            if call.cell != cell or call.story is not story
        }
        none_twice = draft.dropped == self._session.codec.stats.duplicates
        told = {number: notes for number, notes in touched.items() if notes is not None}
        turns = msgspec.msgpack.encode((list(told), pack_notes(list(told.values())))) if told else b""
        parts = dict(draft.parts)
        if turns:
            parts[named(turns)] = _pack_turns(turns, following)
        saved = msgspec.structs.replace(
            draft.saved,
            turns=named(turns),
            fresh=max(0, self._ids.came - draft.came) if none_twice else 0,
        )
        self._store.add(saved, parts)


def _pack_turns(turns: bytes, following: SplitState | None) -> PackedPart:
    """Turns that left their calls on the way stand with the calls of the state that follows, as they mostly ended: the
    difference from that is a quarter of them.
    """
    parts = following.parts.items() if following else ()
    calls = next(((name, part.content) for name, part in parts if part.kin == "calls"), None)
    return PackedPart(calls[0], patch(calls[1], turns)) if calls else whole(turns)


def _size(parts: dict[bytes, PackedPart]) -> int:
    return sum(len(part.packed) for part in parts.values())


def _notes(story: list[AnyEvent], length: int, amendments: tuple[tuple[int, int], ...]) -> bytes | None:
    """The turns among the first events of a story; None where these are not here."""
    if isinstance(story, StoredEvents) and story.unloaded:
        return None
    events = merged(story[:length], amendments)
    return b"".join(packed_turns([event for event in events if type(event) is Turn]))


class _IdsFrom:
    """From where on the ids that a session has seen can be read again.

    Its generations are full by count. So the last two are all ids from the frame on in which the older one began, once
    both began on the way; before that, and where some came twice, all that came on top of a base that is kept.
    """

    def __init__(self, session: Session, place: Place, epoch: str) -> None:
        self._session = session
        self.begin(place, epoch)

    @property
    def came(self) -> int:
        """A count that goes up with every new id."""
        return self._turns_full + len(self._session.codec.duplicates.young)

    def begin(self, place: Place, epoch: str) -> None:
        """Whatever was seen by now is the base of what comes."""
        ids = self._session.codec.duplicates
        known = ids.known()
        self._base = msgspec.msgpack.encode(known) if any(known) else b""
        self._from = (place, epoch)
        self._starts: list[tuple[Place, str, int]] = []
        self._turns_full = 0
        self._old = ids.old

    def moved(self, place: Place | None, epoch: str) -> None:
        """A frame from `place` on was fed."""
        codec = self._session.codec
        if codec.duplicates.old is self._old:
            return
        self._old = codec.duplicates.old
        self._turns_full += len(self._old)
        if place is None:
            self._starts = []
        else:
            self._starts = [*self._starts[-1:], (place, epoch, codec.stats.duplicates)]

    def at(self, place: Place, epoch: str) -> tuple[SeenIds, bytes]:
        """How the ids seen by now are found, and the base that takes, if any."""
        codec = self._session.codec
        if len(self._starts) == 2:
            start, of, dropped = self._starts[0]
            if dropped == codec.stats.duplicates:
                return SeenIds(start, of, len(codec.duplicates.young), len(codec.duplicates.old)), b""
            self.begin(place, epoch)
        return SeenIds(*self._from, base=named(self._base)), self._base


def go_on_from(
    session: Session,
    store: Checkpoints,
    saved: SavedCheckpoint,
    *,
    blocks: list[IndexedBlock],
    frames: Frames,
) -> bool:
    """Bring a session to a state that was kept; False where the recording isn't the same there.

    `blocks` are those up to it. Raises CheckpointError where the state is damaged; the session is then as it was.
    """
    states = store.open(saved)
    if states is None:
        return False
    with states:
        turns = _turns_of(states, saved.turns)
        state, engine = join_state(saved.body, states, CallEventReader(store.recording, blocks), turns)
        base = states.content(saved.ids.base) if saved.ids.base else b""
    seen = StoredIds.later(lambda: _seen(saved, base, frames), saved.fresh)
    session.restore(state, engine, seen)
    session.deployment = saved.deployment
    return True


def _turns_of(states: PartStore, name: bytes) -> dict[int, bytes]:
    """Where they can't be read (the state that follows may not be there yet), stories are read instead."""
    if not name:
        return {}
    try:
        places, noted = _turns_decoder.decode(states.content(name))
        return dict(zip(places, unpack_notes(noted), strict=True))
    except (CheckpointError, msgspec.DecodeError, ValueError, LookupError):
        return {}


def _seen(saved: SavedCheckpoint, base: bytes, frames: Frames) -> tuple[set[str], set[str]]:
    """The ids that were seen by a state. Where the recording is gone meanwhile, none."""
    ids, codec = saved.ids, Codec()
    ordered = OrderedDuplicates.none()
    codec.duplicates = ordered if ids.young >= 0 else _base_of(base)
    try:
        for frame in frames(ids.place, ids.epoch, saved.place):
            _count(codec, frame)
    except (RecordingError, OSError):
        return set(), set()
    if ids.young < 0:
        return codec.duplicates.young, codec.duplicates.old
    border = len(ordered.came) - ids.young
    return set(ordered.came[border:]), set(ordered.came[max(0, border - ids.old) : border])


def _base_of(base: bytes) -> Duplicates:
    if not base:
        return Duplicates.none()
    return Duplicates.of(_base_decoder.decode(base))


def _count(codec: Codec, frame: bytes) -> None:
    try:
        for _ in codec.steps(frame):
            pass
    except WireError:
        return
