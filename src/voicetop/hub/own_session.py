"""The hub's own session: a `Session` like any console's, but for what only the hub asks of it."""

from __future__ import annotations

from voicetop.session import Session


class OwnSession(Session):
    """It must know all that a console knows, the ids that came included: its checkpoint is where consoles begin."""

    @property
    def live_calls(self) -> int:
        """How many calls are live; a snapshot would tell much more, at a price."""
        return len(self.engine.roster.live)
