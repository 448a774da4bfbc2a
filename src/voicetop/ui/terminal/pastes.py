"""Keeps pasted text from acting as keys.

In bracketed paste mode a terminal encloses pasted text in START and END. Some pass it on as it is, so it may contain
escape sequences, even END, and the rest would act as keys. Here it loses its escape characters, and what comes right
after END is held for a moment: if another END follows, it was pasted too.
"""

from __future__ import annotations

START, END, ESC = "\x1b[200~", "\x1b[201~", "\x1b"
HOLD_S, MAX_HOLD_S = 0.2, 2.0
"""A paste arrives without a pause of HOLD_S; who types on after it waits MAX_HOLD_S at most."""
LOST_S = 10.0
"""A paste whose end is overdue by this has lost it: keys work again."""
MAX_PASTE = 100_000
"""Characters kept of one paste."""


class Pastes:
    """Passes input on, with what was pasted made harmless. Times are in seconds of one clock."""

    def __init__(self) -> None:
        self._begun = ""
        """The part of START that was passed on last."""
        self._inside = False
        self._ended = False
        self._text = ""
        self._rest = ""
        """Input whose meaning is open: perhaps a part of END, or after it perhaps keys."""
        self._limit = self._give_up = 0.0

    def feed(self, data: str, now: float) -> str:
        """The input to handle now. Call it regularly, also without data."""
        passed = self._after(now) if self._inside and now >= self._limit else ""
        return passed + (self._within(data, now) if self._inside else self._before(data, now))

    def _within(self, data: str, now: float) -> str:
        self._rest += data
        at = self._rest.rfind(END)
        if at > 0 or (at == 0 and not self._ended):
            self._keep(at)
            self._ended, self._give_up = True, now + MAX_HOLD_S
        elif not self._ended:
            self._keep(max(0, len(self._rest) - len(END) + 1))
        if data:
            self._limit = min(now + HOLD_S, self._give_up) if self._ended else now + LOST_S
        return ""

    def _before(self, data: str, now: float) -> str:
        """Input outside of a paste, up to the next START, which may be split over reads."""
        text = self._begun + data
        at = text.find(START)
        if at < 0:
            self._begun = next((START[:n] for n in range(5, 0, -1) if text.endswith(START[:n])), "")
            return data
        stop = at + len(START)
        passed = text[len(self._begun) : stop]
        self._begun, self._text, self._rest = "", "", ""
        self._inside, self._ended, self._limit = True, False, now + LOST_S
        return passed + self._within(text[stop:], now)

    def _keep(self, stop: int) -> None:
        """Take the open input up to `stop` as pasted."""
        pasted = self._rest[:stop].replace(END, "").replace(ESC, "")
        self._text = (self._text + pasted)[:MAX_PASTE]
        self._rest = self._rest[stop:]

    def _after(self, now: float) -> str:
        """The paste as a whole, and the keys typed after it."""
        if not self._ended:
            self._keep(len(self._rest))
        self._inside = False
        return self._text + END + self._before(self._rest.removeprefix(END), now)
