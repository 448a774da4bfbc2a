"""An argument parser with one-line errors that say what to type instead."""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from voicetop.errors import UsageError, nearest


class Parser(argparse.ArgumentParser):
    """Raises UsageError instead of printing usage and exiting. Accepts times like -90s as values."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._negative_number_matcher = re.compile(r"-\d")

    def error(self, message: str) -> NoReturn:
        raise UsageError(self._in_words(message))

    def _in_words(self, message: str) -> str:
        """An error message of argparse in plain words.

        >>> Parser("voicetop serve")._in_words("argument --port: invalid int value: 'x'")
        '--port x: give a whole number'
        """
        if match := re.fullmatch(r"unrecognized arguments: (\S+).*", message, re.DOTALL):
            return self._unknown(match[1])
        if match := re.fullmatch(r"the following arguments are required: (.+)", message):
            return self._missing(match[1])
        if match := re.fullmatch(r"argument (\S+): expected one argument", message):
            return f"{match[1]} needs a value; see {self.prog} --help"
        if match := re.fullmatch(r"argument (\S+): invalid int value: '(.*)'", message):
            return f"{match[1]} {match[2]}: give a whole number"
        if match := re.fullmatch(r"argument (\S+): ignored explicit argument '(.*)'", message):
            return f"{match[1]} takes no value: {match[1]}={match[2]}"
        return " ".join(message.split())

    def _missing(self, names: str) -> str:
        """Argparse also lists optional arguments as missing. Lowercase alternatives are commands."""
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
