"""Commands that publish end as Ctrl-C ends them, so that the hub hears a farewell."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

SIGNALS = (signal.SIGTERM, signal.SIGHUP)

T = TypeVar("T")


def run_until_signal(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, cancelled by SIGTERM and, unless that is ignored, SIGHUP; a second one ends its goodbye too.

    Raises SystemExit with the exit code that a shell gives to the signal.
    """
    received: list[int] = []

    async def cancellable() -> T:
        task = asyncio.current_task()
        assert task is not None

        def cancel(number: int) -> None:
            received.append(number)
            task.cancel()

        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(number, cancel, number)
        return await main

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise SystemExit(128 + received[0]) from None
