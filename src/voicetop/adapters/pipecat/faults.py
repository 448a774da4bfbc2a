"""Which of Pipecat's errors are one failure, and which is an echo of another. Pure.

One TTS crash comes as an error and, seconds later, as "completed with no audio" of its context; a tool that
raises comes as an error of the LLM service and as a failed result; a sentence that can't be spoken fails like the one
before it. The caller was failed once.
"""

from __future__ import annotations

import re
from collections import Counter

from msgspec import Struct

_TOOL = re.compile(r"executing function call \[([^\]]*)\]")
_SILENT = re.compile(r"TTS context (\S+) completed with no audio")
_RETRY = re.compile(r"reconnection attempt (\d+) failed")
_REORDER_S = 0.5
"""An error may arrive this much before the start of its work: they travel in opposite directions."""

MAX_CONTEXTS = 50


class Fault(Struct, frozen=True):
    """One failure, to be reported once."""

    component: str
    category: str
    final: bool = True
    retry_count: int = 0
    tool: str = ""


class Faults:
    """The failures so far in one call."""

    def __init__(self) -> None:
        self._failed: set[str] = set()
        self._failed_at: dict[str, float] = {}
        self._reported: set[tuple[str, str, str, str]] = set()
        self._reported_tools: Counter[str] = Counter()
        self._contexts: dict[str, float] = {}

    def begin_turn(self) -> None:
        """A failure in a new turn is a new failure."""
        self._reported.clear()

    def begin_work(self, processor: str, context: str = "", at: float = 0.0) -> None:
        """A service got a new request: its measurements count again."""
        self._failed.discard(processor)
        if context:
            self._contexts[context] = at
            if len(self._contexts) > MAX_CONTEXTS:
                del self._contexts[next(iter(self._contexts))]

    def has_failed(self, processor: str) -> bool:
        """Whether the latest request to this service has failed."""
        return processor in self._failed

    def was_tool_reported(self, name: str) -> bool:
        """Whether an error already reported this tool's failure before its result; true once for each."""
        if not self._reported_tools[name]:
            return False
        self._reported_tools[name] -= 1
        return True

    def classify(
        self, at: float, *, message: str, processor: str, component: str, category: str, error_type: str
    ) -> Fault | None:
        """The failure behind an error; None if it was reported already."""
        if tool := _TOOL.search(message):
            self._reported_tools[tool.group(1)] += 1
            return Fault("tool", "application" if category == "unknown" else category, tool=tool.group(1))
        if retry := _RETRY.search(message):
            return Fault(component, category, final=False, retry_count=int(retry.group(1)))
        if (silent := _SILENT.search(message)) and self._is_echo(processor, silent.group(1)):
            return None
        self._failed.add(processor)
        self._failed_at[processor] = at
        key = (processor, component, category, error_type)
        if key in self._reported:
            return None
        self._reported.add(key)
        return Fault(component, category)

    def _is_echo(self, processor: str, context: str) -> bool:
        """Silence after an error belongs to that error."""
        started = self._contexts.get(context)
        failed = self._failed_at.get(processor)
        return failed is not None and (started is None or failed >= started - _REORDER_S)
