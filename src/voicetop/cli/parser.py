"""An argument parser that complains as all of voicetop does: one line that says what, and what to type instead."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from voicetop.errors import UsageError, nearest


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would print a usage and leave. A word like -90s is a moment, no option."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._negative_number_matcher = re.compile(r"-\d")

    def error(self, message: str) -> NoReturn:
        raise UsageError(self._in_words(message))

    def _in_words(self, message: str) -> str:
        """What argparse says, as a person would.

        >>> Parser("voicetop serve")._in_words("argument --port: invalid int value: 'x'")
        '--port x: give a whole number'
        """
        if found := re.fullmatch(r"unrecognized arguments: (\S+).*", message, re.DOTALL):
            return self._unknown(found[1])
        if found := re.fullmatch(r"the following arguments are required: (.+)", message):
            return self._missing(found[1])
        if found := re.fullmatch(r"argument (\S+): expected one argument", message):
            return f"{found[1]} needs a value; see {self.prog} --help"
        if found := re.fullmatch(r"argument (\S+): invalid int value: '(.*)'", message):
            return f"{found[1]} {found[2]}: give a whole number"
        if found := re.fullmatch(r"argument (\S+): ignored explicit argument '(.*)'", message):
            return f"{found[1]} takes no value: {found[1]}={found[2]}"
        return " ".join(message.split())

    def _missing(self, names: str) -> str:
        """Argparse counts what may be left out among what is missing. Words to be typed as they are stand for verbs."""
        free = {action.metavar for action in self._actions if action.nargs in ("*", "?")}
        needed = [name for name in names.split(", ") if name not in free] or [names]
        ways = needed[0].split("|")
        if all(way.islower() for way in ways):
            return (
                f"choose a command: {', '.join(f'{self.prog} {way}' for way in ways)}; see {self.prog} --help"
            )
        return f"{', '.join(needed)} is missing: {self.prog} {' '.join(needed)}"

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"{word!r} is one argument too many; see {self.prog} --help"
        options = [name for name in self._option_string_actions if name.startswith("--")]
        return f"unknown option {word}{nearest(word.partition('=')[0], options)}"
