"""What a terminal can be told besides its frames: that it ring, pop something up, name itself, show a progress.

Over SSH the desktop is elsewhere, but the terminal is where the person is. BEL always gets through. OSC 9 (iTerm2), 777
(Ghostty, WezTerm, foot, urxvt) and 99 (kitty) pop something up; tmux drops them unless they are wrapped in its
passthrough, which its option allow-passthrough must let pass. `TERM_PROGRAM` does not cross SSH: TERM and LC_TERMINAL
do, and inside tmux TERM is tmux's own, so that the config has the last word. All here are texts; `ui` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from voicetop.notify.settings import NotifyConfig, TerminalWay
from voicetop.wire.text import safe_text

Way: TypeAlias = Literal["bell", "osc9", "osc777", "osc99"]
Standing: TypeAlias = Literal["ok", "degraded", "down", "blind"]

BEL, ST = "\x07", "\x1b\\"
MOST_TITLE, MOST_TEXT = 120, 300
SAVE_TITLE, RESTORE_TITLE = "\x1b[22;0t", "\x1b[23;0t"
_BY_TERM: tuple[tuple[str, Way], ...] = (
    ("xterm-kitty", "osc99"),
    ("xterm-ghostty", "osc777"),
    ("ghostty", "osc777"),
    ("wezterm", "osc777"),
    ("foot", "osc777"),
    ("rxvt-unicode", "osc777"),
)
_BY_PROGRAM: dict[str, Way] = {
    "iTerm.app": "osc9",
    "iTerm2": "osc9",
    "WezTerm": "osc777",
    "ghostty": "osc777",
    "kitty": "osc99",
}
_PROGRESS = {"ok": "4;0;0", "degraded": "4;4;100", "down": "4;2;100", "blind": "4;3;0"}
"""ConEmu's OSC 9;4, as Windows Terminal, Ghostty and WezTerm take it: none, warning, error, indeterminate."""


class Terminal(Struct, frozen=True):
    """What one terminal is told by: `ways` in their order; `tmux` where it stands between."""

    ways: tuple[Way, ...] = ("bell",)
    tmux: bool = False
    takes_title: bool = True
    takes_progress: bool = False

    @classmethod
    def of(cls, config: NotifyConfig, env: Mapping[str, str]) -> Terminal:
        """By what the environment says it is, unless the config knows better."""
        tmux = bool(env.get("TMUX"))
        progress = config.progress == "on" or (config.progress == "auto" and shows_progress(env))
        title = config.title and env.get("TERM", "") not in ("", "dumb", "linux")
        return cls(ways_of(config.terminal, env), tmux, title, progress)

    @property
    def said(self) -> str:
        """Its ways in words."""
        return " and ".join({"bell": "BEL"}.get(way, f"OSC {way[3:]}") for way in self.ways)

    def notice(self, title: str, text: str, name: str = "voicetop") -> str:
        """All that tells a person of something; empty where nothing may."""
        return "".join(
            self._by(way, _clean(title, MOST_TITLE), _clean(text, MOST_TEXT), name) for way in self.ways
        )

    def titled(self, title: str) -> str:
        """The window's title; in tmux it is the pane's, which its status line shows."""
        return f"\x1b]2;{_clean(title, MOST_TITLE)}{BEL}" if self.takes_title else ""

    def progress(self, standing: Standing) -> str:
        """The progress of the tab or taskbar, used as a light."""
        return self._through(f"\x1b]9;{_PROGRESS[standing]}{ST}") if self.takes_progress else ""

    def begin(self) -> str:
        """Remember the title there was."""
        return SAVE_TITLE if self.takes_title else ""

    def end(self) -> str:
        """As it was before; empty where a terminal remembers no title."""
        return (f"\x1b]2;{BEL}{RESTORE_TITLE}" if self.takes_title else "") + self.progress("ok")

    def _by(self, way: Way, title: str, text: str, name: str) -> str:
        if way == "bell":
            return BEL
        if way == "osc9":
            return self._through(f"\x1b]9;{_no_number(f'{title} · {text}' if text else title)}{BEL}")
        if way == "osc777":
            return self._through(f"\x1b]777;notify;{title.replace(';', ',')};{text.replace(';', ',')}{BEL}")
        identity = "".join(char for char in name if char.isascii() and (char.isalnum() or char in "-_"))[:60]
        parts = [
            f"\x1b]99;i={identity}:d=0:p=title;{title}{ST}",
            f"\x1b]99;i={identity}:d=1:p=body;{text}{ST}",
        ]
        return "".join(map(self._through, parts))

    def _through(self, sequence: str) -> str:
        """Past tmux, if it is in between and lets it pass."""
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + ST if self.tmux else sequence


def ways_of(told: TerminalWay, env: Mapping[str, str]) -> tuple[Way, ...]:
    """How a terminal is told: the bell, and before it what it has for more than a bell.

    >>> ways_of("auto", {"TERM": "xterm-kitty"})
    ('osc99', 'bell')
    """
    if told == "none":
        return ()
    if told == "bell":
        return ("bell",)
    way = told if told != "auto" else _recognised(env)
    return (way, "bell") if way else ("bell",)


def _recognised(env: Mapping[str, str]) -> Way | None:
    """What crosses SSH goes first; a program's own variable may be left over from the terminal outside."""
    term = env.get("TERM", "")
    for start, way in _BY_TERM:
        if term.startswith(start):
            return way
    known = _BY_PROGRAM.get(env.get("LC_TERMINAL", ""))
    if known or env.get("SSH_CONNECTION"):
        return known
    if env.get("KITTY_WINDOW_ID"):
        return "osc99"
    return _BY_PROGRAM.get(env.get("TERM_PROGRAM", ""))


def shows_progress(env: Mapping[str, str]) -> bool:
    """Whether OSC 9;4 is known there; elsewhere it would pop up as a notification that says "4;2;100"."""
    term = env.get("TERM", "")
    if term.startswith(("xterm-ghostty", "ghostty", "wezterm")):
        return True
    if env.get("SSH_CONNECTION"):
        return False
    return bool(env.get("WT_SESSION") or env.get("ConEmuANSI") == "ON") or env.get("TERM_PROGRAM") in (
        "WezTerm",
        "ghostty",
    )


def _clean(text: str, limit: int) -> str:
    return safe_text(text, limit)


def _no_number(text: str) -> str:
    """A text that begins with "4;" would be a progress."""
    return f"· {text}" if text[:1].isdigit() else text
