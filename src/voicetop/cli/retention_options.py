"""The options of everything that records into a folder: how much a file holds, and what is kept."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from voicetop.errors import UsageError

if TYPE_CHECKING:
    from voicetop.recording.shards import Shards

OPTIONS = (("--shard", "shard"), ("--keep", "keep"), ("--keep-size", "keep_size"))


def shelf_options(parser: argparse.ArgumentParser) -> None:
    """--shard, --keep and --keep-size."""
    add = parser.add_argument
    add("--shard", metavar="TIME", help="in a folder, time span of each file (default 1h)")
    add("--keep", metavar="TIME", help="in a folder, delete older files")
    add("--keep-size", metavar="SIZE", help="in a folder, delete the oldest files beyond this size")


def is_folder(args: argparse.Namespace, path: str, option: str) -> bool:
    """Whether what is recorded goes into a folder of files. Raises UsageError where options say so in vain."""
    if path and (path.endswith("/") or Path(path).is_dir()):
        return True
    for name, field in OPTIONS:
        if getattr(args, field):
            raise UsageError(f"{name} needs a folder of files: give {option} FOLDER/")
    return False


def shard_s(args: argparse.Namespace) -> float:
    """How many seconds a file holds. Raises UsageError."""
    from voicetop.formatting.times import parse_span

    seconds = parse_span(args.shard or "1h")
    if seconds < 1.0:
        raise UsageError(f"--shard {args.shard}: give at least 1s")
    return seconds


def keep_s(args: argparse.Namespace) -> float:
    """After how many seconds files go; 0: never. Raises UsageError."""
    from voicetop.formatting.times import parse_span

    return parse_span(args.keep) if args.keep else 0.0


def keep_bytes(args: argparse.Namespace) -> int:
    """How many bytes are kept; 0: all. Raises UsageError."""
    from voicetop.formatting.numbers import parse_size

    return parse_size(args.keep_size) if args.keep_size else 0


def shelf(args: argparse.Namespace, folder: str, *, state_wait_s: float = 0.0) -> Shards:
    """The folder as the options want it. Raises UsageError."""
    from voicetop.recording.shards import Shards

    return Shards(
        folder,
        shard_s=shard_s(args),
        keep_s=keep_s(args),
        keep_bytes=keep_bytes(args),
        state_wait_s=state_wait_s,
    )
