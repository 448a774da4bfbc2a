"""Every error that voicetop raises on purpose.

VoicetopError                 one clear line for a person; the command line prints it and exits 2
├── UsageError                a bad URL, option, token or certificate: what to type instead
├── ConfigError               a config, theme or price file: names file, line and key
├── FeedError                 the feed cannot be had
│   ├── FeedRefused           the hub said no (token, role, origin, version): retrying won't help
│   └── FeedLost              the connection broke: the source retries by itself
├── WireError                 a frame that is no frame of the protocol
├── CheckpointError           a state of another version, or damaged
├── RecordingError            a file that is no recording, or cannot be written
├── HistoryError              the history store: locked, damaged, full, or of a later voicetop
└── NotifyError               a notifier cannot do its work: a secret, a library or a queue is missing
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class VoicetopError(Exception):
    """Base of all: `str(error)` is one line that says what, where and what to do."""


class UsageError(VoicetopError):
    """The person typed something that cannot work."""


class ConfigError(VoicetopError):
    """A config file that cannot be understood; the text names file, line and key."""


class FeedError(VoicetopError):
    """The feed cannot be had."""


class FeedRefused(FeedError):
    """The hub answered no; trying again with the same words would not help."""


class FeedLost(FeedError):
    """The connection broke or never came up; worth another try."""


class WireError(VoicetopError):
    """Bytes that are no frame of the protocol."""


class CheckpointError(VoicetopError):
    """A checkpoint of another version, or a damaged one."""


class RecordingError(VoicetopError):
    """A file that is no recording, or one that cannot be written."""


class HistoryError(VoicetopError):
    """The history store cannot be read or written."""


class NotifyError(VoicetopError):
    """Something that notifying needs is missing: a secret, a library, the queue's file."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that names the nearest match, or all that there is.

    >>> nearest("biling", ["billing", "orders"])
    "; did you mean 'billing'?"
    >>> nearest("xyz", ["billing", "orders"])
    '; there are: billing, orders'
    """
    import difflib  # noqa: PLC0415 - only where something was mistyped

    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(names)}"


def line_of(text: str, path: tuple[str, ...], key: str) -> int:
    """The line of a TOML text in which `key` of the table `path` is set, from 1; 0 where it can't be told."""
    here: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            here = _path_of(stripped)
            if here == (*path, key):
                return number
        elif "=" in stripped and (*here, *_path_of(f"[{stripped.partition('=')[0]}]")) == (*path, key):
            return number
    return 0


def _path_of(header: str) -> tuple[str, ...]:
    import tomllib  # noqa: PLC0415 - only where something was mistyped

    try:
        table: Any = tomllib.loads(header)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(table, dict) and table:
        ((name, table),) = table.items()
        path.append(name)
    return tuple(path)
