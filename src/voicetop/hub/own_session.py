"""The hub's own session: a `Session` like any console's, but for what only the hub asks of it."""

from __future__ import annotations

from voicetop.engine.config import EngineConfig
from voicetop.session import Session


class OwnSession(Session):
    """Its feed is the hub's own, from which duplicates are dropped already."""

    def __init__(self, config: EngineConfig | None = None) -> None:
        super().__init__(config, check_duplicates=False)

    @property
    def live_calls(self) -> int:
        """How many calls are live; a snapshot would tell much more, at a price."""
        return len(self.engine.roster.live)
