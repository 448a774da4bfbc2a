"""Sanitises text from a feed: removes everything that could control a terminal.

ESC, OSC and C1 bytes from an event reach a terminal verbatim through most widgets, and bidirectional overrides reverse
a line. `str.isprintable()` rejects them all (categories Other and Separator, except the space). Combining marks are
printable, but stacks of them paint over neighbouring lines: at most `MAX_MARKS` in a row are kept.
"""

from __future__ import annotations

import re
from functools import cache
from unicodedata import category

from voicetop.wire.values import MAX_LABEL, MAX_TEXT

MAX_MARKS = 3
_MARKS_FROM = "\u0300"
"""The first combining mark; below it are Latin letters."""


def safe_text(text: str, limit: int = MAX_TEXT) -> str:
    r"""`text` safe to display: printable only, any white space as a space, at most `limit` characters.

    >>> safe_text("a\x1b]0;pwned\x07b\nc")
    'a]0;pwnedb c'
    """
    if len(text) <= limit and is_safe(text):
        return text
    return _clean(text[: limit * 4], limit)


def safe_label(text: str) -> str:
    """The same for names and segment values, at most `MAX_LABEL` characters."""
    return safe_text(text, MAX_LABEL)


def is_safe(text: str) -> bool:
    """Whether `text` is safe to display as it is, apart from its length."""
    return text.isprintable() and (text.isascii() or max(text) < _MARKS_FROM or not _stacks_marks(text))


def _stacks_marks(text: str) -> bool:
    if not _ASTRAL.search(text):
        return bool(_stacked_marks().search(text))
    run = 0
    for char in text:
        run = run + 1 if _is_mark(char) else 0
        if run > MAX_MARKS:
            return True
    return False


@cache
def _stacked_marks() -> re.Pattern[str]:
    """Matches more than `MAX_MARKS` marks in a row below U+10000, eight times as fast as the loop.

    Built on the first non-Latin text, since that takes milliseconds.
    """
    marks = "".join(filter(_is_mark, map(chr, range(0x300, 0x10000))))
    return re.compile(f"[{marks}]{{{MAX_MARKS + 1}}}")


_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


def _is_mark(char: str) -> bool:
    return char >= _MARKS_FROM and category(char)[0] == "M"


def _clean(text: str, limit: int) -> str:
    kept: list[str] = []
    run = 0
    for char in text:
        printable = char.isprintable()
        if not printable and not char.isspace():
            continue
        if _is_mark(char):
            run += 1
            if run > MAX_MARKS:
                continue
        else:
            run = 0
        kept.append(char if printable else " ")
        if len(kept) > limit:
            break
    if len(kept) > limit:
        kept[limit - 1 :] = ["…"]
    return "".join(kept)
