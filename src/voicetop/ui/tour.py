"""A one-minute guided tour of the screens, on any feed: `voicetop demo --tour`.

Each stop runs ordinary actions and shows a caption for a few seconds; some wait for the situation they describe. Any
key ends the tour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from voicetop.engine.snapshot import Snapshot
from voicetop.formatting.numbers import known
from voicetop.ui.screens.page import Host

STAY_S = 5.5
WAIT_S = 30.0
"""How long a stop waits for its situation before it is skipped."""


def _always(_: Snapshot) -> bool:
    return True


def _troubled(snap: Snapshot) -> bool:
    return snap.verdict.severity in ("degraded", "down")


def _blamed(snap: Snapshot) -> bool:
    return any(trouble.where for trouble in snap.verdict.troubles)


def _alerted(snap: Snapshot) -> bool:
    return bool(snap.alerts.critical or snap.alerts.warning)


def _has_calls(snap: Snapshot) -> bool:
    return bool(snap.needing_eyes or snap.calls.rows)


class Stop(NamedTuple):
    """The actions to run on arrival (ids), and the caption.

    A stop is skipped unless `when` holds; a `patient` one waits for it first. `keeps_message` keeps the actions'
    message on the screen.
    """

    actions: tuple[str, ...]
    caption: str
    when: Callable[[Snapshot], bool] = _always
    patient: bool = False
    keeps_message: bool = False


STOPS = (
    Stop(
        ("overview",),
        "A simulated fleet of voice agents. The top line says whether everything is working right now.",
    ),
    Stop(
        (),
        "Below: waiting callers, response time by stage, errors, success, cost, each with its n and normal.",
    ),
    Stop(
        (),
        "The model's provider begins to fail for some callers. Watch the top line.",
        _troubled,
        patient=True,
    ),
    Stop(
        (),
        "It says what is wrong, since when and for which calls. The calls that need attention are below.",
        _troubled,
    ),
    Stop(
        ("blame",),
        "{blame}: every screen now shows only the affected segment, as the top line says. {widen} widens.",
        _blamed,
        patient=True,
    ),
    Stop(
        ("widen", "widen", "widen", "segments"),
        "{segments} Segments: each value of a dimension compared with its normal and the rest, worst first.",
    ),
    Stop(
        ("calls",),
        "{calls} Calls: every live call, those that need attention first. {filter} filters, {sort_right} sorts.",
    ),
    Stop(
        ("first", "open"),
        "{open} opens a call, turn by turn: where time went, what was said, which tools ran, what failed.",
        _has_calls,
    ),
    Stop(
        ("alerts", "open_alert"),
        "{alerts} Alerts, {open_alert} opens one: its reason, the affected calls, a runbook with live values. "
        "{acknowledge} acknowledges it.",
        _alerted,
    ),
    Stop(
        ("trends",),
        "{trends} Trends: the day with its deploys, and what percentiles hide.",
    ),
    Stop(
        ("overview", "event_before"),
        "{event_before} goes back to the last event, {freeze} freezes: every screen works in the past. "
        "{live} returns to live.",
        keeps_message=True,
    ),
    Stop(
        ("live", "overview"),
        "That is all: {help} lists the keys, {palette} finds a command by name. Enjoy.",
    ),
)


class Tour:
    """The state of the tour. Call `step` with a monotonic time in seconds; drop it to end the tour."""

    def __init__(self, host: Host, stops: tuple[Stop, ...] = STOPS) -> None:
        self.stops = stops
        self.index = -1
        self._host = host
        self._since = 0.0
        self._waiting_since = float("nan")

    @property
    def caption(self) -> str:
        """The current caption, with the user's own keys."""
        if self.index < 0:
            return "The tour starts when data arrives."
        keys = {action: self._host.key_of(action) for action in KEYS}
        return self.stops[self.index].caption.format(**keys)

    @property
    def place(self) -> str:
        """The progress: "3 of 12"."""
        return f"{max(1, self.index + 1)} of {len(self.stops)}"

    def step(self, now: float, snap: Snapshot | None) -> bool:
        """Advance when due; False once the tour is over."""
        if snap is None or (self.index >= 0 and now - self._since < STAY_S):
            return True
        if not known(self._waiting_since):
            self._waiting_since = now
        while self.index + 1 < len(self.stops):
            stop = self.stops[self.index + 1]
            if stop.when(snap):
                self._arrive(self.index + 1, now)
                return True
            if stop.patient and now - self._waiting_since < WAIT_S:
                return True
            self.stops = (*self.stops[: self.index + 1], *self.stops[self.index + 2 :])
        return False

    def _arrive(self, index: int, now: float) -> None:
        self.index, self._since, self._waiting_since = index, now, float("nan")
        stop = self.stops[index]
        for action in stop.actions:
            if self._host.can_do(action):
                self._host.do(action)
        if not stop.keeps_message:  # from the previous stop, or an action that had nothing to do
            self._host.say("")


KEYS = (
    "blame",
    "widen",
    "segments",
    "calls",
    "filter",
    "sort_right",
    "open",
    "alerts",
    "open_alert",
    "acknowledge",
    "trends",
    "event_before",
    "freeze",
    "live",
    "help",
    "palette",
)
"""The actions whose keys the captions name."""
