"""The engine's configuration; every default suits an unknown fleet."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct


class Price(Struct, frozen=True):
    """US dollars for one provider's model, as of `dated` (ISO date); free items are 0."""

    input_per_million: float = 0.0
    output_per_million: float = 0.0
    cached_per_million: float = 0.0
    per_audio_minute: float = 0.0
    per_thousand_characters: float = 0.0
    dated: str = ""


RuleTier: TypeAlias = Literal["critical", "warning", "info", "line"]


class ThresholdPair(Struct, frozen=True):
    """A threshold: `value` in the metric's own unit, or a multiple of normal if `times`."""

    value: float
    times: bool = False


class Rule(Struct, frozen=True):
    """A user-defined rule over a figure of a panel (see `alerts.rules`).

    It fires at `fire` and clears at `clear`; `below`: it fires below the threshold. It needs `min_n` observations. The
    `tier` "line" is only drawn on its chart. Times in seconds.
    """

    name: str
    metric: str
    fire: ThresholdPair
    clear: ThresholdPair
    tier: RuleTier = "warning"
    where: tuple[tuple[str, str], ...] = ()
    window: Literal["5m", "30m", "24h"] = "5m"
    below: bool = False
    min_n: int = 30
    for_s: float = 0.0
    keep_s: float = 300.0
    runbook: str = ""
    links: tuple[str, ...] = ()


class Policy(Struct, frozen=True):
    """Seconds: `for_s` from the first signal to firing, `keep_s` from the last signal to resolved."""

    for_s: float = 0.0
    keep_s: float = 300.0


class EngineConfig(Struct, frozen=True):
    """Times in seconds. `prices` maps "provider/model", "model" or "component" to a `Price`, tried in this order.

    `terminal_steps` are the steps at which a caller who hangs up has finished rather than abandoned. `rules` and
    `policies` (by family of alerts) are used by the alerts; they are here to be in every checkpoint, so that all
    consoles agree.
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
    rules: tuple[Rule, ...] = ()
    policies: dict[str, Policy] = {}
    verdict: bool = True
    """Whether to evaluate the verdict: learning a baseline and back-tests skip it, in a fifth of the time."""
