"""How long to wait before the next try: longer each time, and jittered so that consoles don't all reconnect at once."""

from __future__ import annotations

import random

from msgspec import Struct


class Backoff(Struct):
    """Seconds. Each wait is drawn from the upper half of a span that grows from `first` to `limit`.

    With first 0.5 and growth 2: about 0.25–0.5 s, 0.5–1 s, 1–2 s, and so on to 3–6 s: short, because someone watching
    BLIND wants to see it end.
    """

    first: float = 0.5
    growth: float = 2.0
    limit: float = 6.0
    tries: int = 0

    def next(self) -> float:
        """The wait before the next try."""
        span = min(self.limit, self.first * self.growth ** min(self.tries, 32))
        self.tries += 1
        return span * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret

    def reset(self) -> None:
        """Call when an event arrives, not on connecting: a hub may accept and fail right after."""
        self.tries = 0
