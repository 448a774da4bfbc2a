"""A person is told at once, in one notice for what comes together, not too often, and at night of what is critical."""

from __future__ import annotations

from notify.receivers import effect
from voicetop.notify.desk.grouping import MOST_A_MINUTE, Notice, NoticeGrouping
from voicetop.notify.settings import NotifyConfig

NOON, NIGHT, MORNING = 1_700_049_600.0, 1_700_092_800.0, 1_700_118_000.0
"""12:00, 24:00 and 7:00 UTC."""


def shown(gate: NoticeGrouping, now: float) -> Notice | None:
    wait = gate.wait(now)
    assert wait is not None
    return gate.due(now + wait)


def test_one_alert_is_told_well_within_a_second() -> None:
    gate = NoticeGrouping(NotifyConfig(), utc=True)
    assert gate.wait(NOON) is None
    gate.let_in(effect(), NOON)
    wait = gate.wait(NOON)
    assert wait is not None
    assert wait < 0.5
    assert gate.due(NOON) is None
    notice = gate.due(NOON + wait)
    assert notice is not None
    assert notice.title.startswith("■ CRITICAL · LLM errors")
    assert notice.text == "82 % in LLM · billing × es"
    assert gate.due(NOON + 5) is None


def test_what_comes_together_is_one_notice_with_the_worst_first() -> None:
    gate = NoticeGrouping(NotifyConfig(), utc=True)
    for number in range(1, 6):
        gate.let_in(effect(number=number, tier="critical" if number == 4 else "warning"), NOON)
    notice = shown(gate, NOON)
    assert notice is not None
    assert notice.title == "voicetop: 5 alerts"
    assert notice.text.startswith("■ CRITICAL · ")
    assert notice.text.endswith("and 2 more")


def test_a_storm_is_told_a_few_times_a_minute_and_nothing_of_it_is_dropped() -> None:
    gate = NoticeGrouping(NotifyConfig(), utc=True)
    notices: list[Notice] = []
    for second in range(60):
        gate.let_in(effect(number=second), NOON + second)
        notice = gate.due(NOON + second + 0.5)
        notices += [notice] if notice else []
    assert len(notices) == MOST_A_MINUTE
    later = shown(gate, NOON + 60.0)
    assert later is not None
    assert later.title == f"voicetop: {60 - MOST_A_MINUTE} alerts"


def test_at_night_warnings_are_quiet_and_critical_alerts_are_not() -> None:
    gate = NoticeGrouping(NotifyConfig(quiet="22:00-07:00"), utc=True)
    gate.let_in(effect(tier="warning"), NIGHT)
    assert gate.wait(NIGHT) == MORNING - NIGHT
    assert gate.due(NIGHT + 60) is None
    gate.let_in(effect(number=2, tier="critical"), NIGHT)
    notice = shown(gate, NIGHT)
    assert notice is not None
    assert notice.title.startswith("■ CRITICAL")
    by_day = NoticeGrouping(NotifyConfig(quiet="22:00-07:00"), utc=True)
    by_day.let_in(effect(tier="warning"), NOON)
    assert by_day.wait(NOON) is not None


def test_what_a_night_held_back_is_one_notice_in_the_morning_and_every_end_is_told() -> None:
    gate = NoticeGrouping(NotifyConfig(quiet="22:00-07:00"), utc=True)
    gate.let_in(effect(tier="warning"), NOON)
    assert shown(gate, NOON) is not None
    gate.let_in(effect("resolved", tier="warning"), NIGHT)
    gate.let_in(effect(number=2, tier="warning"), NIGHT)
    gate.let_in(effect("resolved", 2, tier="warning"), NIGHT + 600)
    gate.let_in(effect(number=3, tier="warning"), NIGHT + 700)
    assert gate.due(MORNING - 1) is None
    assert gate.due(MORNING) is None
    notice = shown(gate, MORNING)
    assert notice is not None
    assert notice.title == "voicetop: 1 alert, 2 resolved"
    gate.let_in(effect("resolved", 3, tier="warning"), MORNING + 60)
    assert shown(gate, MORNING + 60) is not None


def test_what_gets_worse_at_night_is_told_at_once_and_not_again_in_the_morning() -> None:
    gate = NoticeGrouping(NotifyConfig(quiet="22:00-07:00"), utc=True)
    gate.let_in(effect(tier="warning"), NIGHT)
    gate.let_in(effect("worse", tier="critical"), NIGHT + 60)
    assert shown(gate, NIGHT + 60) is not None
    assert gate.wait(NIGHT + 120) is None


def test_only_what_was_told_of_is_told_to_be_over() -> None:
    gate = NoticeGrouping(NotifyConfig(least="critical"), utc=True)
    gate.let_in(effect(tier="warning"), NOON)
    gate.let_in(effect("resolved", tier="warning"), NOON)
    gate.let_in(effect(number=2, silenced=True), NOON)
    gate.let_in(effect("acknowledged", 3), NOON)
    assert gate.wait(NOON) is None
    gate.let_in(effect(number=4), NOON)
    assert shown(gate, NOON) is not None
    gate.let_in(effect("resolved", 4), NOON + 60)
    notice = shown(gate, NOON + 60)
    assert notice is not None
    assert notice.title.startswith("● RESOLVED")
