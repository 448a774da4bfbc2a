"""Pasted text in a real terminal: it is inserted where there is a text entry, and is never a key."""

from __future__ import annotations

import pytest

from terminal.emulator import Terminal

START, END = "\x1b[200~", "\x1b[201~"


@pytest.mark.parametrize(
    "reads",
    [
        [f"{START}q\n\x1b[31mq\x1bq{END}"],
        [f"{START}a{END}q\x03q{END}"],
        [START, "q", "\x1b", "q\x1b[20", "1~q\x11", "q", "\x1b[201", "~"],
        [f"{START}{'q' * 10_000}\x1bq{END}"],
    ],
)
def test_a_paste_with_anything_in_it_presses_no_key(reads: list[str]) -> None:
    with Terminal("ws://127.0.0.1:1") as terminal:
        terminal.shows("No response from")
        assert b"\x1b[?2004h" in terminal.raw
        for read in reads:
            terminal.press(read)
        terminal.shows("paste ignored")
        terminal.press("?")
        terminal.shows("Esc closes")
        terminal.press("q")
        assert terminal.ended() == 0


def test_a_paste_into_a_text_entry_is_one_line_of_its_printable_text() -> None:
    with Terminal("ws://127.0.0.1:1") as terminal:
        terminal.shows("No response from")
        terminal.press("\x10")
        terminal.shows("> █")
        terminal.press(f"{START}copy\n\x1b[Alink{END}")
        terminal.shows("> copy [Alink█")
        terminal.press("\x15q")
        terminal.shows("> q█")
        terminal.press("\x03")
        assert terminal.ended() == 0


def test_bytes_that_are_no_text_do_not_end_the_console() -> None:
    with Terminal("ws://127.0.0.1:1") as terminal:
        terminal.shows("No response from")
        terminal.press_bytes(b"\xe9\xff\xfe")
        terminal.press("?")
        terminal.shows("Esc closes")
        terminal.press("q")
        assert terminal.ended() == 0
