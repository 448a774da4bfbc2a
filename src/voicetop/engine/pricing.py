"""Cost of a `usage` event: as reported, else estimated from the price table."""

from __future__ import annotations

from voicetop.engine.config import Price
from voicetop.formatting.numbers import known
from voicetop.wire.events import Usage

MICRO = 1_000_000


def price_for(usage: Usage, prices: dict[str, Price]) -> Price | None:
    """The most specific price in the table: "provider/model", "model", then the component."""
    for key in (f"{usage.provider}/{usage.model}", usage.model, usage.component):
        price = prices.get(key)
        if price is not None:
            return price
    return None


def micro_dollars(usage: Usage, prices: dict[str, Price]) -> tuple[int, bool] | None:
    """(micro-dollars, whether they are estimated); None if neither feed nor table has a price."""
    if known(usage.cost_usd):
        return round(usage.cost_usd * MICRO), usage.estimated
    price = price_for(usage, prices)
    if price is None:
        return None
    uncached = max(0, usage.input_tokens - usage.cached_tokens)
    dollars = (
        uncached * price.input_per_million / 1e6
        + usage.cached_tokens * price.cached_per_million / 1e6
        + usage.output_tokens * price.output_per_million / 1e6
        + usage.audio_s / 60 * price.per_audio_minute
        + usage.characters / 1000 * price.per_thousand_characters
    )
    return round(dollars * MICRO), True
