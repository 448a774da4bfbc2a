"""What the engine may be told; all of it has a default that fits a fleet nobody described yet."""

from __future__ import annotations

from msgspec import Struct


class Price(Struct, frozen=True):
    """US dollars for one provider's model, as of `dated` (ISO date); what is not charged for is 0."""

    input_per_million: float = 0.0
    output_per_million: float = 0.0
    cached_per_million: float = 0.0
    per_audio_minute: float = 0.0
    per_thousand_characters: float = 0.0
    dated: str = ""


class EngineConfig(Struct, frozen=True):
    """Times in seconds. `prices` maps "provider/model", "model" or "component" to a `Price`, tried in this order.

    `terminal_steps` are the steps at which a caller who hangs up has finished rather than abandoned.
    """

    capacity: int = 0
    prices: dict[str, Price] = {}
    terminal_steps: tuple[str, ...] = (
        "close", "closing", "goodbye", "farewell", "wrap_up", "end", "done", "completed", "confirmed",
    )  # fmt: skip
    grace_s: float = 120.0
    lost_after_s: float = 180.0
    stuck_after_s: float = 8.0
    max_cells: int = 2_048
    max_values: int = 256
    max_dimensions: int = 16
    ended_kept: int = 1_500
    failed_kept: int = 1_500
    story_budget: int = 60_000
    verdict: bool = True
    """Whether to judge for the verdict line: learning a baseline and back-tests do without, in a fifth of the time."""
