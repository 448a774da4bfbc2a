"""Copies text from a possibly remote terminal: by OSC 52, or through tmux's buffer inside tmux.

By default tmux drops OSC 52 from the programs in it, but `load-buffer -w` fills its buffer and the clipboard
of the terminal outside (tmux 3.2 and later). Where that fails, OSC 52 goes through tmux's passthrough.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping

from voicetop.ui.renderables.plain_text import bounded
from voicetop.ui.terminal.programs import run_program
from voicetop.wire.text import safe_text

TMUX_S = 3.0
"""Timeout for tmux, which answers at once or not at all."""


def cleaned(text: str) -> str:
    """`text` without control sequences that a terminal would act on when pasted; line breaks stay."""
    return bounded("\n".join(safe_text(line, 100_000) for line in text.split("\n")))


def osc52(text: str, *, tmux: bool = False) -> str:
    """The sequence that puts `text` into the terminal's clipboard (xterm, "Manipulate Selection Data")."""
    sequence = f"\x1b]52;c;{b64encode(text.encode()).decode()}\x07"
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\" if tmux else sequence


async def copy(text: str, write: Callable[[str], None], env: Mapping[str, str]) -> str:
    """Copy, and return in words how. `write` sends to the terminal, in order with the frames."""
    text = cleaned(text)
    if env.get("TMUX"):
        if await _into_tmux(text):
            return "to tmux's buffer and the clipboard"
        write(osc52(text, tmux=True))
        return "through OSC 52 and tmux, if it allows that"
    write(osc52(text))
    return "through OSC 52, if this terminal allows it"


async def _into_tmux(text: str) -> bool:
    try:
        return not await run_program(
            ("tmux", "load-buffer", "-w", "-"), given=text.encode(), timeout_s=TMUX_S
        )
    except OSError:
        return False
