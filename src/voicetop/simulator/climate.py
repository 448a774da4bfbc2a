"""What moves all calls together: the hour, the day of the week, and the slow noise of providers.

Minutes are not independent in reality: providers are slow for a quarter of an hour, errors come in clusters. Each
series is a stationary AR(1) over minutes with its own seed, so that it doesn't depend on what calls do.
"""

from __future__ import annotations

import math

from voicetop.simulator.dice import Dice

DAY_S = 86_400.0
_WEEKDAYS = (1.12, 1.06, 1.0, 1.0, 1.02, 0.72, 0.62)
_THURSDAY = 3
"""1970-01-01 was a Thursday."""


def traffic(t: float) -> float:
    """Relative traffic, about 0.3 at night to 1.4 at the morning's peak; UTC, epoch seconds."""
    hour = t % DAY_S / 3600.0
    morning = math.exp(-0.5 * ((hour - 10.8) / 2.4) ** 2)
    afternoon = 0.85 * math.exp(-0.5 * ((hour - 15.3) / 2.7) ** 2)
    weekday = _WEEKDAYS[(int(t // DAY_S) + _THURSDAY) % 7]
    return (0.3 + morning + afternoon) * (0.6 + 0.4 * weekday)


DAY_MEAN = sum(traffic(60.0 * minute) for minute in range(7 * 1440)) / (7 * 1440)


class _Noise:
    """A stationary AR(1) with `tau` minutes of memory and standard deviation `sd`."""

    def __init__(self, seed: str, tau: float, sd: float) -> None:
        self._normal = Dice(seed).normal
        self._decay = math.exp(-1.0 / tau)
        self._shock = sd * math.sqrt(1.0 - self._decay**2)
        self.value = sd * self._normal()

    def step(self) -> None:
        self.value = self._decay * self.value + self._shock * self._normal()


class Climate:
    """Factors on latencies, error chances and arrivals, constant within a minute."""

    def __init__(self, seed: str, begin: float) -> None:
        self._minute = int(begin // 60)
        self._stt = _Noise(f"{seed} stt", 20, 0.04)
        self._llm = _Noise(f"{seed} llm", 20, 0.05)
        self._tts = _Noise(f"{seed} tts", 20, 0.04)
        self._errors = _Noise(f"{seed} errors", 30, 0.30)
        self._arrivals = _Noise(f"{seed} arrivals", 45, 0.06)
        self._all = (self._stt, self._llm, self._tts, self._errors, self._arrivals)
        self._update_factors()

    def advance_to(self, t: float) -> None:
        """Advance to the minute of `t`."""
        minute = int(t // 60)
        if minute == self._minute:
            return
        while self._minute < minute:
            self._minute += 1
            for noise in self._all:
                noise.step()
        self._update_factors()

    def _update_factors(self) -> None:
        self.stt = math.exp(self._stt.value)
        self.llm = math.exp(self._llm.value)
        self.tts = math.exp(self._tts.value)
        self.errors = math.exp(self._errors.value - 0.045)
        self.arrivals = math.exp(self._arrivals.value)
