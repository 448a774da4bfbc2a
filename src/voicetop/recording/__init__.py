"""Recordings: stamped records, raw, in a file that any zstd tool reads. The format is described in `format.py`."""

from __future__ import annotations

from voicetop.recording.reader import Reader, read
from voicetop.recording.recorder import Recorder

__all__ = ["Reader", "Recorder", "read"]
