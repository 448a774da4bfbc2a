"""Runs small programs for the console, such as `tmux load-buffer`, and leaves nothing of them behind."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Sequence

POLL_S = 0.02


async def run_program(words: Sequence[str], *, timeout_s: float, given: bytes = b"") -> int:
    """Run a program to its end, at most `timeout_s`, with `given` as its input; returns its exit code, negative if it
    was killed. Raises OSError if it can't be run.

    Waits by polling: a console that closes may cancel this twice, and the program has to be over even then.
    """
    with tempfile.TemporaryFile() as stdin:
        stdin.write(given)
        stdin.seek(0)
        child = subprocess.Popen(  # noqa: ASYNC220, S603 - starting it takes as long either way
            words, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    try:
        async with asyncio.timeout(timeout_s):
            while child.poll() is None:  # noqa: ASYNC110 - see above
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        pass
    finally:
        child.kill()
        child.wait()
    return child.returncode
