"""The options of recordings in a folder: length of files, and retention."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from voicetop.errors import UsageError

if TYPE_CHECKING:
    from voicetop.recording.shards import Shards

OPTIONS = (("--shard", "shard"), ("--keep", "keep"), ("--keep-size", "keep_size"))


def retention_options(parser: argparse.ArgumentParser) -> None:
    """--shard, --keep and --keep-size."""
    add = parser.add_argument
    add("--shard", metavar="TIME", help="in a folder, time span of each file (default 1h)")
    add("--keep", metavar="TIME", help="in a folder, delete older files")
    add("--keep-size", metavar="SIZE", help="in a folder, delete the oldest files beyond this size")


def is_folder(args: argparse.Namespace, path: str, option: str) -> bool:
    """Whether to record into a folder. Raises UsageError for folder options without a folder."""
    if path and (path.endswith("/") or Path(path).is_dir()):
        return True
    for name, field in OPTIONS:
        if getattr(args, field):
            raise UsageError(f"{name} needs a folder of files: give {option} FOLDER/")
    return False


def shard_s(args: argparse.Namespace) -> float:
    """The length of a file in seconds. Raises UsageError."""
    from voicetop.formatting.times import parse_span

    seconds = parse_span(args.shard or "1h")
    if seconds < 1.0:
        raise UsageError(f"--shard {args.shard}: give at least 1s")
    return seconds


def keep_s(args: argparse.Namespace) -> float:
    """The age in seconds at which files are deleted; 0: never. Raises UsageError."""
    from voicetop.formatting.times import parse_span

    return parse_span(args.keep) if args.keep else 0.0


def keep_bytes(args: argparse.Namespace) -> int:
    """The maximum size in bytes; 0: unlimited. Raises UsageError."""
    from voicetop.formatting.numbers import parse_size

    return parse_size(args.keep_size) if args.keep_size else 0


def shards_of(args: argparse.Namespace, folder: str, *, state_wait_s: float = 0.0) -> Shards:
    """The folder writer for the options. Raises UsageError."""
    from voicetop.recording.shards import Shards

    return Shards(
        folder,
        shard_s=shard_s(args),
        keep_s=keep_s(args),
        keep_bytes=keep_bytes(args),
        state_wait_s=state_wait_s,
    )
