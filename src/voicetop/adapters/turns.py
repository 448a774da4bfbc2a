"""The user's turn that is going on, and the stage in which its caller waits. Pure."""

from __future__ import annotations

from msgspec import Struct

from voicetop.adapters.pipecat.services import EventPage
from voicetop.adapters.pipecat.vocabulary import provider_of
from voicetop.wire.events import NAN, Stage

SHORTEST_SPEECH_S = 0.3


class UserTurn(Struct):
    """From the caller's first word to the agent's answer.

    `since`: the end of the caller's speech (epoch s); `told`: a turn.start went out; `waiting`: the caller waits right
    now; `released_at`: when Pipecat decided that the caller is done; `spoke_s`: how long they spoke, pauses left out.
    """

    index: int
    since: float = NAN
    measured_from: str = "vad_stop"
    told: bool = False
    waiting: bool = False
    released_at: float = NAN
    replying: bool = False
    failed: bool = False
    heard: list[str] = []
    said: list[str] = []
    spoke_s: float = 0.0
    loudness_dbfs: float = NAN

    @property
    def is_released(self) -> bool:
        return self.released_at == self.released_at

    @property
    def speech_rate_wpm(self) -> float:
        """Words a minute; NaN where too little was said for one."""
        words = sum(len(text.split()) for text in self.heard)
        return round(words / self.spoke_s * 60.0, 1) if words and self.spoke_s > SHORTEST_SPEECH_S else NAN


class Stages:
    """What the caller waits for: one stage at a time, though services overlap."""

    def __init__(self, page: EventPage) -> None:
        self._page = page
        self.current = ""

    def clear(self) -> None:
        """A new wait begins; what the last one waited for is no matter."""
        self.current = ""

    def enter(self, stage: str, at: float, processor: str = "", model: str = "") -> None:
        """The caller now waits for `stage`, and for no other."""
        if self.current != stage:
            self.leave(at)
            self.current = stage
            provider = provider_of(processor)
            self._page.say(Stage, at, name=stage, state="start", provider=provider, model=model)

    def leave(self, at: float, state: str = "end") -> None:
        """The stage is over, or `failed`."""
        if self.current:
            self._page.say(Stage, at, name=self.current, state=state)
        self.current = ""
