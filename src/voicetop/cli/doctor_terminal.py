"""Terminal capabilities for `voicetop doctor`, derived from the environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from voicetop.cli.findings import Finding
from voicetop.ui.terminal.driver import takes_links

MIN_COLUMNS, MIN_ROWS = 80, 24


class TerminalEnvironment(NamedTuple):
    """The environment of this terminal. `tmux` returns the output of a tmux command, "" on failure."""

    env: Mapping[str, str]
    tty: bool
    size: tuple[int, int]
    tmux: Callable[..., str]


CLIPBOARD = {
    "kitty": "yes",
    "foot": "yes",
    "alacritty": "yes",
    "wezterm": "yes",
    "ghostty": "yes",
    "contour": "yes",
    "windows terminal": "yes",
    "iterm2": "if allowed: Settings, General, Selection, 'Applications in terminal may access clipboard'",
    "xterm": "if allowed: XTerm*disallowedWindowOps: 20,21,SetXprop in ~/.Xresources",
    "apple terminal": "no",
    "vte": "only since VTE 0.76",
}
"""Support for OSC 52 by terminal, on default settings."""

NOTIFIES = {
    "iterm2": "OSC 9",
    "kitty": "OSC 99",
    "ghostty": "OSC 9 and 777",
    "wezterm": "OSC 9 and 777",
    "foot": "OSC 777",
    "windows terminal": "OSC 9",
}


def terminal_name(env: Mapping[str, str]) -> str:
    """The terminal's name, or ""; ssh passes on TERM and LC_TERMINAL, but not TERM_PROGRAM."""
    term, program = env.get("TERM", ""), env.get("TERM_PROGRAM", "").lower()
    program_name = env.get("LC_TERMINAL", "").lower() or ("" if program == "tmux" else program)
    for sign, name in (
        ("iterm", "iterm2"),
        ("apple_terminal", "apple terminal"),
        ("wezterm", "wezterm"),
        ("ghostty", "ghostty"),
    ):
        if sign in program_name:
            return name
    for name in ("kitty", "foot", "alacritty", "ghostty", "wezterm", "contour"):
        if name in term:
            return name
    if env.get("WT_SESSION"):
        return "windows terminal"
    if env.get("VTE_VERSION"):
        return "vte"
    return "xterm" if env.get("XTERM_VERSION") else ""


def terminal_findings(terminal: TerminalEnvironment) -> Iterator[Finding]:
    """All findings about the terminal."""
    env = terminal.env
    yield _screen(terminal)
    yield _colours(env)
    yield _characters(env)
    yield _clipboard(terminal)
    yield _links(env)
    yield _notifications(terminal)
    if env.get("TMUX"):
        yield _tmux(terminal)
    elif env.get("TERM", "").startswith("screen"):
        yield Finding("note", "screen", "GNU screen does not pass on OSC 8, 52 or 9", "use tmux")
    if env.get("SSH_CONNECTION"):
        yield Finding(
            "note",
            "ssh",
            f"from {env['SSH_CONNECTION'].split()[0]}: desktop notifications would appear there, not here",
        )


def _screen(terminal: TerminalEnvironment) -> Finding:
    columns, rows = terminal.size
    if not terminal.tty:
        return Finding(
            "note",
            "screen",
            "not a terminal: a pipe or a file",
            "use `voicetop --plain` for a line per second",
        )
    if terminal.env.get("TERM", "") in ("", "dumb"):
        return Finding(
            "FIX",
            "screen",
            "according to TERM, it cannot position the cursor",
            "export TERM=xterm-256color, or use --plain",
        )
    if columns < MIN_COLUMNS or rows < MIN_ROWS:
        return Finding(
            "FIX", "screen", f"{columns}×{rows}: too small for some panels", "make it 80×24 or larger"
        )
    return Finding("ok", "screen", f"{columns}×{rows}, {terminal_name(terminal.env) or terminal.env['TERM']}")


def _colours(env: Mapping[str, str]) -> Finding:
    term = env.get("TERM", "")
    if env.get("NO_COLOR"):
        return Finding("note", "colours", "none, because NO_COLOR is set; glyphs and words show the same")
    if env.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Finding("ok", "colours", f"16.7 million (COLORTERM={env['COLORTERM']})")
    if "256color" in term or term in ("xterm-kitty", "xterm-ghostty", "alacritty", "foot"):
        hint = "if your terminal shows more: export COLORTERM=truecolor" + (
            " (ssh doesn't pass it on)" if env.get("SSH_CONNECTION") else ""
        )
        return Finding("ok", "colours", f"256 (TERM={term})", hint)
    return Finding(
        "note",
        "colours",
        f"16 (TERM={term or 'unset'})",
        "if your terminal shows more: export TERM=xterm-256color",
    )


def _characters(env: Mapping[str, str]) -> Finding:
    name = next((name for name in ("LC_ALL", "LC_CTYPE", "LANG") if env.get(name)), "")
    text = f"{name}={env[name]}" if name else "no locale set"
    if "utf-8" in text.lower() or "utf8" in text.lower():
        return Finding("ok", "characters", f"UTF-8 ({text})")
    return Finding(
        "FIX",
        "characters",
        f"ASCII only: {text}",
        "export LANG=C.UTF-8; until then charts look as with --ascii",
    )


def _clipboard(terminal: TerminalEnvironment) -> Finding:
    """In tmux, copies go through its own buffer, which works on default settings."""
    if terminal.env.get("TMUX"):
        setting = terminal.tmux("show", "-sv", "set-clipboard")
        if setting in ("on", "external"):
            return Finding("ok", "copy", f"through tmux load-buffer -w (set-clipboard is {setting})")
        return Finding("note", "copy", "only to tmux's buffer", "tmux set -s set-clipboard external")
    name = terminal_name(terminal.env)
    text = CLIPBOARD.get(name, "")
    if text == "yes":
        return Finding("ok", "copy", f"OSC 52 ({name})")
    if text == "no":
        return Finding(
            "note",
            "copy",
            f"{name} does not support OSC 52",
            "run voicetop in tmux and paste from its buffer",
        )
    if text:
        return Finding("note", "copy", f"{name} supports OSC 52 {text}")
    return Finding("note", "copy", "OSC 52, if this terminal supports it")


def _links(env: Mapping[str, str]) -> Finding:
    if takes_links(env):
        return Finding("ok", "links", "OSC 8")
    return Finding("note", "links", "none: this terminal seems too old for OSC 8")


def _notifications(terminal: TerminalEnvironment) -> Finding:
    means = NOTIFIES.get(terminal_name(terminal.env), "")
    if terminal.env.get("TMUX") and means:
        if terminal.tmux("show", "-gv", "allow-passthrough") in ("on", "all"):
            return Finding("ok", "notifications", f"{means}, through tmux")
        return Finding(
            "note", "notifications", "bell only: tmux drops the rest", "tmux set -g allow-passthrough on"
        )
    if means:
        return Finding("ok", "notifications", means)
    return Finding("note", "notifications", "bell only: this terminal announces nothing else")


def _tmux(terminal: TerminalEnvironment) -> Finding:
    version = terminal.tmux("-V") or "tmux does not respond"
    passthrough = terminal.tmux("show", "-gv", "allow-passthrough") or "unknown"
    term = terminal.env.get("TERM", "")
    text = f"{version}, allow-passthrough {passthrough}"
    if not term.startswith(("tmux", "screen")):
        return Finding(
            "FIX",
            "tmux",
            f"{text}, but TERM={term}",
            "tmux set -g default-terminal tmux-256color, and remove TERM from shell files",
        )
    return Finding("ok", "tmux", text)
