"""The frames from a place of a recording on, over file after file, and on again when more was written meanwhile.

What a replay walks along. A generator that has ended stays ended; a trail that has ended may go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from voicetop.errors import RecordingError
from voicetop.recording.reader import Place, Reader
from voicetop.wire.batches import Stamped, split


class FrameCursor(Iterator[Stamped]):
    """Yields each frame with its last stamp. `files` says which files there are by now, in their order.

    Where a file ends in the middle of a block that is still being written, the block is read once it is whole.
    Raises RecordingError where the file itself is of a later version, or can't be read.
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
            if self._reading is None and not self._go_on():
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

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()

    def _go_on(self) -> bool:
        """Open what has grown since, or the next file; False where there is nothing new."""
        following = self._following()
        if self._place is not None and (size := _size(self._file)) > self._read_at_size >= -1:
            self._open(size)
            return True
        if following is None:
            return False
        self._settle(torn=True)
        self._file, self._place, self._read_at_size = following, Place(0, 0), 0
        self._open(_size(following))
        return True

    def _following(self) -> Path | None:
        """The file after this one. It holds nothing before all of this one is written."""
        files = list(self._files())
        after = files[files.index(self._file) + 1 :] if self._file in files else files
        return next((file for file in after if _size(file) > 0), None)

    def _open(self, size: int) -> None:
        self._settle(torn=False)
        self._read_at_size = size
        try:
            self._reader = Reader(self._file)
        except RecordingError as error:
            self._notes.append(str(error))
            self._place = None
            return
        assert self._place is not None
        self._reading = frames_behind(self._reader, self._place, self._epoch)

    def _settle(self, *, torn: bool) -> None:
        """Keep what the last reading had to say, but for a torn end that has become whole meanwhile."""
        if self._reader is not None:
            told = self._reader.notes
            self._notes += told if torn or not self._reader.torn else told[:-1]
            self._reader = None


class PlacedFrame(Struct, frozen=True):
    """A frame, its last stamp, where it begins (None where nobody can enter), and the epoch that it is of."""

    at: float
    frame: bytes
    place: Place | None
    epoch: str


def frames_behind(reader: Reader, place: Place, epoch: str) -> Iterator[PlacedFrame]:
    """The frames behind a place; if it is in the middle of a frame, the rest of that one first. Closes the reader."""
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
