"""Recordings: raw stamped records in a file that any zstd tool reads. `format.py` describes the format."""

from __future__ import annotations

from voicetop.recording.reader import Reader, read
from voicetop.recording.recorder import LOST_WAIT_S, Recorder

__all__ = ["LOST_WAIT_S", "Reader", "Recorder", "read"]
