"""Control sequences for a terminal's bell, pop-up notifications, title and progress indicator.

Over SSH the desktop is on another machine, but the terminal is where the user is. BEL always works. OSC 9 (iTerm2), 777
(Ghostty, WezTerm, foot, urxvt) and 99 (kitty) show a pop-up; tmux drops them unless wrapped in its passthrough, which
its option allow-passthrough must enable. TERM_PROGRAM is not forwarded over SSH: TERM and LC_TERMINAL are, and inside
tmux TERM is tmux's own, so the config has the last word. This module only makes strings; `ui` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from voicetop.engine.snapshot import Severity
from voicetop.notify.settings import NotifyConfig, TerminalWay
from voicetop.wire.text import safe_text

Way: TypeAlias = Literal["bell", "osc9", "osc777", "osc99"]

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
_PROGRESS: dict[Severity, str] = {
    "ok": "4;0;0", "idle": "4;0;0", "learning": "4;0;0", "catching_up": "4;0;0",
    "recovering": "4;4;100", "degraded": "4;4;100", "down": "4;2;100", "blind": "4;3;0",
}  # fmt: skip
"""ConEmu's OSC 9;4, as Windows Terminal, Ghostty and WezTerm take it: none, warning, error, indeterminate."""


class Terminal(Struct, frozen=True):
    """How to notify one terminal: `ways` in order; `tmux` if sequences have to pass through it."""

    ways: tuple[Way, ...] = ("bell",)
    tmux: bool = False
    takes_title: bool = True
    takes_progress: bool = False

    @classmethod
    def of(cls, config: NotifyConfig, env: Mapping[str, str]) -> Terminal:
        """Detected from the environment, unless the config says otherwise."""
        tmux = bool(env.get("TMUX"))
        progress = config.progress == "on" or (config.progress == "auto" and shows_progress(env))
        title = config.title and env.get("TERM", "") not in ("", "dumb", "linux")
        return cls(ways_of(config.terminal, env), tmux, title, progress)

    @property
    def description(self) -> str:
        """Its ways, for a message."""
        return " and ".join({"bell": "BEL"}.get(way, f"OSC {way[3:]}") for way in self.ways)

    def notice(self, title: str, text: str, name: str = "voicetop") -> str:
        """The sequences of one notice; empty if all ways are off."""
        return "".join(
            self._by(way, _clean(title, MOST_TITLE), _clean(text, MOST_TEXT), name) for way in self.ways
        )

    def titled(self, title: str) -> str:
        """The window's title; in tmux it is the pane's, which its status line shows."""
        return f"\x1b]2;{_clean(title, MOST_TITLE)}{BEL}" if self.takes_title else ""

    def progress(self, severity: Severity) -> str:
        """The progress indicator of the tab or taskbar, used as a status light."""
        return self._through(f"\x1b]9;{_PROGRESS[severity]}{ST}") if self.takes_progress else ""

    def begin(self) -> str:
        """Save the current title."""
        return SAVE_TITLE if self.takes_title else ""

    def end(self) -> str:
        """Restore title and progress; empty if the terminal has neither."""
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
        """Wrap for tmux's passthrough, inside tmux."""
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + ST if self.tmux else sequence


def ways_of(setting: TerminalWay, env: Mapping[str, str]) -> tuple[Way, ...]:
    """The ways to notify a terminal: its pop-up sequence, if it has one, then the bell.

    >>> ways_of("auto", {"TERM": "xterm-kitty"})
    ('osc99', 'bell')
    """
    if setting == "none":
        return ()
    if setting == "bell":
        return ("bell",)
    way = setting if setting != "auto" else _recognised(env)
    return (way, "bell") if way else ("bell",)


def _recognised(env: Mapping[str, str]) -> Way | None:
    """Variables forwarded over SSH first; others may be left over from the outer terminal."""
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
    """Whether the terminal supports OSC 9;4; others would show a notification saying "4;2;100"."""
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
    """A text that begins with "4;" would be taken for progress."""
    return f"· {text}" if text[:1].isdigit() else text
