"""How much detail the events of a call have."""

from __future__ import annotations

from msgspec import Struct

FULL_UP_TO = 2_000


class Detail(Struct, frozen=True):
    """Shares of calls with stage starts and ends, audio features and transcripts; and what every call emits.

    `waits`: turn.start. `steps`: call.step within the call, besides the step that turns name. `tool_starts`: the starts
    of tool calls, besides their ends. `usage_by_turn`: the model's usage after each turn, else once at the call's end.
    `late`: for some calls intent and tier come once they become known, else at the start.
    """

    stages: float = 1.0
    audio: float = 1.0
    texts: float = 1.0
    waits: bool = True
    steps: bool = True
    tool_starts: bool = True
    usage_by_turn: bool = True
    late: bool = True

    @staticmethod
    def for_calls(calls: int) -> Detail:
        """Everything up to 2,000 calls at once; thinned above, so that 100,000 calls emit some 25,000 events/s."""
        if calls <= FULL_UP_TO:
            return Detail()
        share = FULL_UP_TO / calls
        return Detail(
            stages=share, audio=share, texts=max(share, 0.2), tool_starts=False, usage_by_turn=False
        )


BRIEF = Detail(
    stages=0.0,
    audio=0.0,
    texts=1.0,
    waits=False,
    steps=False,
    tool_starts=False,
    usage_by_turn=False,
    late=False,
)
"""For past hours: waits and stages no longer matter."""
