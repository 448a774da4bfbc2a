"""The sequences for a terminal, by its detected type; no text in an alert can control it."""

from __future__ import annotations

from typing import get_args

import pytest

from voicetop.engine.snapshot import Severity
from voicetop.notify.desk.terminal import Terminal, shows_progress, ways_of
from voicetop.notify.settings import NotifyConfig, TerminalWay


@pytest.mark.parametrize(
    ("env", "ways"),
    [
        ({"TERM": "xterm-kitty"}, ("osc99", "bell")),
        ({"TERM": "xterm-ghostty"}, ("osc777", "bell")),
        ({"TERM": "foot-extra"}, ("osc777", "bell")),
        ({"TERM": "xterm-256color"}, ("bell",)),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2", "SSH_CONNECTION": "x"}, ("osc9", "bell")),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, ("osc777", "bell")),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm", "SSH_CONNECTION": "x"}, ("bell",)),
        ({"TERM": "tmux-256color", "TMUX": "/x", "LC_TERMINAL": "iTerm2"}, ("osc9", "bell")),
        ({"TERM": "tmux-256color", "TMUX": "/x", "TERM_PROGRAM": "tmux"}, ("bell",)),
    ],
)
def test_a_terminal_is_notified_by_what_it_supports(env: dict[str, str], ways: tuple[str, ...]) -> None:
    assert ways_of("auto", env) == ways


@pytest.mark.parametrize(("setting", "ways"), [("none", ()), ("bell", ("bell",)), ("osc9", ("osc9", "bell"))])
def test_the_config_overrides_detection(setting: TerminalWay, ways: tuple[str, ...]) -> None:
    assert ways_of(setting, {"TERM": "xterm-kitty"}) == ways


def test_sequences_pass_through_tmux_and_the_bell_is_its_own() -> None:
    terminal = Terminal.of(NotifyConfig(terminal="osc9"), {"TERM": "tmux-256color", "TMUX": "/tmp/x,1,0"})
    assert terminal.notice("down", "") == "\x1bPtmux;\x1b\x1b]9;down\x07\x1b\\\x07"


@pytest.mark.parametrize("way", ["osc9", "osc777", "osc99"])
def test_hostile_text_stays_text(way: TerminalWay) -> None:
    terminal = Terminal.of(NotifyConfig(terminal=way), {"TERM": "xterm"})
    hostile = "4;1;50 \x1b]52;c;cHduZWQ=\x07 \x9d0;t\x9c ;a;b \u202egnp\n"
    sent = terminal.notice(hostile, hostile, name="a;b\x1b")
    parts = (
        sent.replace("\x1b]9;", "").replace("\x1b]777;notify;", "").replace("\x1b]99;i=ab:d=0:p=title;", "")
    )
    parts = parts.replace("\x1b]99;i=ab:d=1:p=body;", "").replace("\x1b\\", "").replace("\x07", "")
    assert parts.isprintable()
    if way == "osc9":
        assert sent.startswith("\x1b]9;· 4;1;50")
    if way == "osc777":
        assert sent.count(";") == 3


def test_title_and_progress_are_restored() -> None:
    terminal = Terminal.of(NotifyConfig(), {"TERM": "xterm-ghostty"})
    assert terminal.begin() == "\x1b[22;0t"
    assert terminal.titled("■ DOWN · acme\x1b") == "\x1b]2;■ DOWN · acme\x07"
    assert terminal.progress("down") == "\x1b]9;4;2;100\x1b\\"
    assert terminal.end() == "\x1b]2;\x07\x1b[23;0t\x1b]9;4;0;0\x1b\\"
    plain = Terminal.of(NotifyConfig(title=False), {"TERM": "xterm-256color"})
    assert plain.begin() + plain.titled("x") + plain.progress("down") + plain.end() == ""


def test_the_status_light_is_off_only_while_nothing_is_known_to_be_wrong() -> None:
    terminal = Terminal.of(NotifyConfig(), {"TERM": "xterm-ghostty"})
    off = {severity for severity in get_args(Severity) if ";4;0;0" in terminal.progress(severity)}
    assert off == {"ok", "idle", "learning", "catching_up"}


def test_progress_is_shown_only_where_it_is_supported() -> None:
    assert shows_progress({"TERM": "xterm-256color", "WT_SESSION": "1"})
    assert not shows_progress({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"})
    assert not shows_progress({"TERM": "xterm-256color", "WT_SESSION": "1", "SSH_CONNECTION": "x"})
