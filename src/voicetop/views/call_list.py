"""The call list of a screen: filtered, narrowed and sorted; only the visible calls become rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from voicetop.engine import frustration
from voicetop.engine.call_events import told_events
from voicetop.engine.calls import Call, sentiment_of, success_of
from voicetop.engine.frustration import FRUSTRATED
from voicetop.engine.snapshot import NAN, CallRow, CallsPanel, View
from voicetop.engine.waiting import Waits
from voicetop.views import call_filter
from voicetop.wire.events import Turn

if TYPE_CHECKING:
    from voicetop.engine.engine import Engine

Live: TypeAlias = Iterable[Call]
Keys: TypeAlias = list[Any] | NDArray[np.float64]
"""Sort keys: all texts or all numbers."""
RECENT = 12
"""Turns in a row's sparkline."""
MOST_URGENT = 12
"""Calls that need attention, on the Overview."""


class CallListing(Struct):
    """The list, and the calls that need attention."""

    panel: CallsPanel
    urgent: tuple[CallRow, ...]


def live_calls(engine: Engine, chosen: frozenset[int] | None) -> Iterator[Call]:
    """The live calls in some cells (None: all)."""
    calls = engine.roster.live.values()
    return iter(calls) if chosen is None else (call for call in calls if call.cell in chosen)


def list_calls(
    engine: Engine, view: View, waits: Waits, cells: NDArray[np.intp] | None, stuck_after: float
) -> CallListing:
    """The rows that `view` asks for, with their counts."""
    chosen = None if cells is None else frozenset(cells.tolist())
    live = list(live_calls(engine, chosen))
    stuck_ms = 1000 * stuck_after
    urgency = np.array(
        [
            _urgency(call, waits, stuck_after)
            if call.wait_since or call.errors or call.mood >= FRUSTRATED
            else slow
            if (slow := call.e2e / (call.e2e + stuck_ms)) > call.mood / 2
            else call.mood / 2
            for call in live
        ]
    )
    page = _page(engine, view, waits, live, urgency, chosen)
    order = np.flatnonzero(urgency >= 1)
    order = order[np.argsort(-urgency[order], kind="stable")]
    urgent = [live[i] for i in order.tolist()]
    return CallListing(
        CallsPanel(
            rows=tuple(row_of(call, waits, stuck_after) for call in page.calls),
            offset=view.offset,
            total=page.total,
            position=page.position,
            of=page.of,
            stuck=int((urgency >= 3).sum()),
            failing=sum(call.errors > 0 for call in urgent),
            frustrated=sum(call.mood >= FRUSTRATED for call in urgent),
            error=page.error,
        ),
        tuple(row_of(call, waits, stuck_after) for call in urgent[:MOST_URGENT]),
    )


def _page(
    engine: Engine, view: View, waits: Waits, live: list[Call], urgency: Keys, chosen: frozenset[int] | None
) -> _Page:
    calls = _ended(engine, chosen) if view.ended else live
    of = len(calls)
    keys: Keys
    test, error = call_filter.predicate(view.text, waits)
    if view.sort == "eyes" and not view.ended:
        keys = urgency
        reverse = not view.reverse
    else:
        key, downward = _SORTS.get(view.sort, _SORTS["age"])
        if view.ended and view.sort in ("eyes", "age"):
            key, downward = (lambda call, waits: call.ended), True
        keys = [key(call, waits) for call in calls]
        reverse = downward != view.reverse
    if test is not None:
        passing = [i for i, call in enumerate(calls) if test(call)]
        calls, keys = [calls[i] for i in passing], [keys[i] for i in passing]
    order = _order(keys, reverse, view.offset + view.limit)
    rows = [calls[i] for i in order[view.offset : view.offset + view.limit]]
    return _Page(rows, len(calls), of, error, _position(calls, keys, reverse, view.call_id))


def _position(calls: list[Call], keys: Keys, reverse: bool, call_id: str) -> int:
    """The rank of a call in the order; -1 if it isn't listed."""
    index = next((i for i, call in enumerate(calls) if call.call_id == call_id), -1) if call_id else -1
    return _order(keys, reverse, len(keys)).index(index) if index >= 0 else -1


class _Page(Struct):
    calls: list[Call]
    total: int
    of: int
    error: str
    position: int


def _order(keys: Keys, reverse: bool, need: int) -> list[int]:
    """The indexes of the first `need` keys in order; equal keys stay in order of arrival."""
    if not len(keys) or isinstance(keys[0], str):
        return sorted(range(len(keys)), key=keys.__getitem__, reverse=reverse)
    values = np.asarray(keys, float)
    values = np.where(np.isnan(values), np.inf, -values if reverse else values)
    if need < len(values) // 4:
        limit = np.partition(values, need)[need]
        near = np.flatnonzero(values <= limit)
        return [int(i) for i in near[np.argsort(values[near], kind="stable")]]
    return [int(i) for i in np.argsort(values, kind="stable")]


def _ended(engine: Engine, chosen: frozenset[int] | None) -> list[Call]:
    calls = [*engine.roster.ended.values(), *engine.roster.failed.values()]
    return calls if chosen is None else [call for call in calls if call.cell in chosen]


def _urgency(call: Call, waits: Waits, stuck_after: float) -> float:
    """Ranks calls that need attention: stuck by their wait (3 and more), failing (2), frustrated (1).

    Below 1, by the caller's frustration or the last response time, whichever is worse.
    """
    waited = waits.seconds(call)
    if waited > stuck_after:
        return 3 + waited
    if call.errors:
        return 2 + min(0.9, call.errors / 10)
    if call.mood >= FRUSTRATED:
        return 1 + min(0.9, call.mood)
    slow = call.e2e / (call.e2e + 1000 * stuck_after)
    return max(call.mood / 2, slow)


def attention_reason(call: Call, waits: Waits, stuck_after: float) -> str:
    """Why a call needs attention, in one word; empty if it doesn't."""
    if call.state == "lost":
        return "lost"
    if waits.seconds(call) > stuck_after:
        return "stuck"
    if call.errors:
        return "failing"
    return "frustrated" if call.mood >= FRUSTRATED else ""


def state_of(call: Call, waits: Waits) -> str:
    """The state of a call: waiting while the caller waits for a reply, unknown if that isn't known, else its own."""
    if not call.live or not call.wait_since:
        return call.state
    return "waiting" if waits.known(call) else "unknown"


def row_of(call: Call, waits: Waits, stuck_after: float) -> CallRow:
    """One call as a row."""
    waited_s = waits.seconds(call)
    score, of = frustration.score(call, waited_s)
    return CallRow(
        call_id=call.call_id,
        state=state_of(call, waits),
        age_s=call.lasted_s(waits.at),
        turn=call.turn_base + call.turn,
        step=call.step,
        waiting_s=waited_s if waits.known(call) else NAN,
        stage=call.stage,
        e2e_ms=call.e2e,
        errors=call.errors,
        cost_usd=call.cost_micro / 1e6 if call.priced else NAN,
        estimated=call.guessed,
        mood=score,
        mood_of=of,
        eyes=attention_reason(call, waits, stuck_after),
        segments=tuple(sorted(call.segments.items())),
        caller=call.caller,
        ended_at=call.ended or NAN,
        reason=call.reason,
        outcome=outcome_of(call),
        provider=call.provider if call.stage else "",
        recent=tuple(
            [event.e2e_ms for event in told_events(call) if type(event) is Turn and event.status != "noise"][
                -RECENT:
            ]
        ),
        unknown_since=waits.unknown_since(call),
    )


def outcome_of(call: Call) -> str:
    """The outcome of an ended call in one word."""
    if call.live:
        return ""
    if call.abandoned == 1:
        return "abandoned"
    good = success_of(call.opinions)
    return {1: "success", 0: "no success"}.get(good, "unknown")


_SORTS: dict[str, tuple[Callable[[Call, Waits], Any], bool]] = {
    "call_id": (lambda call, waits: call.call_id, False),
    "age": (lambda call, waits: call.lasted_s(waits.at), True),
    "turn": (lambda call, waits: call.turn_base + call.turn, True),
    "state": (state_of, False),
    "step": (lambda call, waits: call.step, False),
    "waiting": (lambda call, waits: waits.seconds(call) if waits.known(call) else -1.0, True),
    "stage": (lambda call, waits: call.stage, False),
    "e2e": (lambda call, waits: call.e2e, True),
    "errors": (lambda call, waits: call.errors, True),
    "cost": (lambda call, waits: call.cost_micro, True),
    "mood": (lambda call, waits: frustration.current_score(call, waits.seconds(call)), True),
    "sentiment": (lambda call, waits: sentiment_of(call.opinions), False),
    "ended": (lambda call, waits: call.ended, True),
    "reason": (lambda call, waits: call.reason, False),
    "outcome": (lambda call, waits: outcome_of(call), False),
    **{
        name: (lambda call, waits, name=name: call.segments.get(name, ""), False)  # type: ignore[misc]
        for name in ("intent", "language", "tier", "version", "channel", "region")
    },
}
_SORTS |= {
    "waiting_s": _SORTS["waiting"],
    "e2e_ms": _SORTS["e2e"],
    "cost_usd": _SORTS["cost"],
    "age_s": _SORTS["age"],
    "call": _SORTS["call_id"],
}
SORTS = tuple(_SORTS)
