"""Every error that voicetop raises on purpose.

VoicetopError                 one clear line for a person; the command line prints it and exits 2
├── UsageError                a bad URL, option, token or certificate: what to type instead
├── ConfigError               a config, theme or price file: names file, line and key
├── FeedError                 the feed cannot be had
│   ├── FeedRefused           the hub said no (token, role, origin, version): retrying won't help
│   └── FeedLost              the connection broke: the source retries by itself
├── WireError                 a frame that is no frame of the protocol
├── CheckpointError           a state of another version, or damaged
├── RecordingError            a file that is not a recording, or cannot be written
├── HistoryError              the history store: locked, damaged, full, or of a later voicetop
└── NotifyError               a notifier cannot do its work: a secret, a library or a queue is missing
"""

from __future__ import annotations

from collections.abc import Iterable


class VoicetopError(Exception):
    """Base of all: `str(error)` is one line that says what, where and what to do."""


class UsageError(VoicetopError):
    """The person typed something that cannot work."""


class ConfigError(VoicetopError):
    """A config file that cannot be understood; the text names file, line and key.

    `path` is that of the key in its file, empty if the whole file is wrong.
    """

    def __init__(self, text: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.path = path


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
    """A file that is not a recording, or one that cannot be written."""


class HistoryError(VoicetopError):
    """The history store cannot be read or written."""


class NotifyError(VoicetopError):
    """Something that notifying needs is missing: a secret, a library, the queue's file."""


def nearest(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """The end of a sentence that names the nearest match; `otherwise`, or all that there is, where none is near.

    >>> nearest("biling", ["billing", "orders"])
    "; did you mean 'billing'?"
    >>> nearest("xyz", ["billing", "orders"])
    '; valid: billing, orders'
    """
    import difflib  # noqa: PLC0415 - only where something was mistyped

    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; valid: {', '.join(names)}" if otherwise is None else otherwise


def in_one_line(error: BaseException) -> str:
    """An error for a person: voicetop's own as it is, any other as an internal error; of a group the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, VoicetopError):
        return str(error)
    return f"an internal error in voicetop, please report it: {type(error).__name__}: {error}"
