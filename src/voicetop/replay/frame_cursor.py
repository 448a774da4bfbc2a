"""Iterates over frames from a place in a recording, across files, and continues when more is written.

Unlike a generator it may yield again after StopIteration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from voicetop.errors import RecordingError
from voicetop.recording.reader import Place, Reader
from voicetop.wire.batches import Stamped, split


class FrameCursor(Iterator[Stamped]):
    """Yields each frame with its last stamp. `files` returns the current files, in playing order.

    A block that is still being written is read once it is complete. Raises RecordingError if a file is of a later
    version or can't be read.
    """

    def __init__(
        self, files: Callable[[], Sequence[Path]], file: Path, place: Place, epoch: str = ""
    ) -> None:
        self._files = files
        self._file = file
        self._place: Place | None = place
        self._epoch = epoch
        self._reading: Iterator[PlacedFrame] | None = None
        self._reader: Reader | None = None
        self._read_at_size = -1
        self._notes: list[str] = []

    def __next__(self) -> Stamped:
        while True:
            if self._reading is None and not self._open_next():
                raise StopIteration
            try:
                placed = next(self._reading, None) if self._reading else None
            except OSError as error:
                raise RecordingError(f"cannot read further in {self._file}: {error.strerror}") from None
            if placed is not None:
                assert self._reader is not None
                self._place, self._epoch = self._reader.place, placed.epoch
                return placed.at, placed.frame
            self._reading = None

    @property
    def notes(self) -> list[str]:
        """What could not be read so far."""
        return [*self._notes, *(self._reader.notes if self._reader else [])]

    @property
    def incomplete(self) -> bool:
        """Whether the end is missing of what has been read so far."""
        return bool(self._reader and self._reader.ending)

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()

    def _open_next(self) -> bool:
        """Open the file again if it has grown, or the next one; False if there is nothing new."""
        following = self._next_file()
        if self._place is not None and (size := _size(self._file)) > self._read_at_size >= -1:
            self._open(size)
            return True
        if following is None:
            return False
        self._collect_notes(torn=True)
        self._file, self._place, self._read_at_size = following, Place(0, 0), 0
        self._open(_size(following))
        return True

    def _next_file(self) -> Path | None:
        """The next file. It is empty until this one is complete."""
        files = list(self._files())
        after = files[files.index(self._file) + 1 :] if self._file in files else files
        return next((file for file in after if _size(file) > 0), None)

    def _open(self, size: int) -> None:
        self._collect_notes(torn=False)
        self._read_at_size = size
        try:
            self._reader = Reader(self._file)
        except RecordingError as error:
            self._notes.append(str(error))
            self._place = None
            return
        assert self._place is not None
        self._reading = frames_after(self._reader, self._place, self._epoch)

    def _collect_notes(self, *, torn: bool) -> None:
        """Keep the last reader's notes, except for a torn end that is complete by now."""
        if self._reader is not None:
            self._notes += [note for note in self._reader.notes if torn or note != self._reader.ending]
            self._reader = None


class PlacedFrame(Struct, frozen=True):
    """A frame with its last stamp, its place (None if reading can't start there) and its epoch."""

    at: float
    frame: bytes
    place: Place | None
    epoch: str


def frames_after(reader: Reader, place: Place, epoch: str) -> Iterator[PlacedFrame]:
    """The frames after a place; within a frame, the rest of that one first. Closes the reader."""
    with reader:
        if place.offset:
            reader.enter(place, epoch)
        for number, (at, frame) in enumerate(reader.stamped()):
            if number < place.frames:
                continue
            done = place.events if number == place.frames else 0
            rest = split(frame, done)[1] if done else frame
            here = reader.place
            if rest:
                begin = Place(here.offset, here.frames - 1, done) if here else None
                yield PlacedFrame(at, rest, begin, reader.epoch)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
