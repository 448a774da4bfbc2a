"""Notices at a console: immediate, grouped, rate-limited, and only critical ones in quiet hours."""

from __future__ import annotations

from notify.receivers import effect
from voicetop.notify.desk.grouping import MOST_A_MINUTE, Notice, NoticeGrouping
from voicetop.notify.settings import NotifyConfig

NOON, NIGHT, MORNING = 1_700_049_600.0, 1_700_092_800.0, 1_700_118_000.0
"""12:00, 24:00 and 7:00 UTC."""


def shown(grouping: NoticeGrouping, now: float) -> Notice | None:
    wait = grouping.wait(now)
    assert wait is not None
    return grouping.due(now + wait)


def test_one_alert_is_shown_well_within_a_second() -> None:
    grouping = NoticeGrouping(NotifyConfig(), utc=True)
    assert grouping.wait(NOON) is None
    grouping.add(effect(), NOON)
    wait = grouping.wait(NOON)
    assert wait is not None
    assert wait < 0.5
    assert grouping.due(NOON) is None
    notice = grouping.due(NOON + wait)
    assert notice is not None
    assert notice.title.startswith("■ CRITICAL · LLM errors")
    assert notice.text == "82 % in LLM · billing × es"
    assert grouping.due(NOON + 5) is None


def test_simultaneous_alerts_are_one_notice_the_worst_first() -> None:
    grouping = NoticeGrouping(NotifyConfig(), utc=True)
    for number in range(1, 6):
        grouping.add(effect(number=number, tier="critical" if number == 4 else "warning"), NOON)
    notice = shown(grouping, NOON)
    assert notice is not None
    assert notice.title == "voicetop: 5 alerts"
    assert notice.text.startswith("■ CRITICAL · ")
    assert notice.text.endswith("and 2 more")


def test_a_storm_is_rate_limited_and_nothing_is_dropped() -> None:
    grouping = NoticeGrouping(NotifyConfig(), utc=True)
    notices: list[Notice] = []
    for second in range(60):
        grouping.add(effect(number=second), NOON + second)
        notice = grouping.due(NOON + second + 0.5)
        notices += [notice] if notice else []
    assert len(notices) == MOST_A_MINUTE
    later = shown(grouping, NOON + 60.0)
    assert later is not None
    assert later.title == f"voicetop: {60 - MOST_A_MINUTE} alerts"


def test_quiet_hours_hold_warnings_and_not_critical_alerts() -> None:
    grouping = NoticeGrouping(NotifyConfig(quiet="22:00-07:00"), utc=True)
    grouping.add(effect(tier="warning"), NIGHT)
    assert grouping.wait(NIGHT) == MORNING - NIGHT
    assert grouping.due(NIGHT + 60) is None
    grouping.add(effect(number=2, tier="critical"), NIGHT)
    notice = shown(grouping, NIGHT)
    assert notice is not None
    assert notice.title.startswith("■ CRITICAL")
    by_day = NoticeGrouping(NotifyConfig(quiet="22:00-07:00"), utc=True)
    by_day.add(effect(tier="warning"), NOON)
    assert by_day.wait(NOON) is not None


def test_held_alerts_are_one_notice_after_quiet_hours_with_their_resolutions() -> None:
    grouping = NoticeGrouping(NotifyConfig(quiet="22:00-07:00"), utc=True)
    grouping.add(effect(tier="warning"), NOON)
    assert shown(grouping, NOON) is not None
    grouping.add(effect("resolved", tier="warning"), NIGHT)
    grouping.add(effect(number=2, tier="warning"), NIGHT)
    grouping.add(effect("resolved", 2, tier="warning"), NIGHT + 600)
    grouping.add(effect(number=3, tier="warning"), NIGHT + 700)
    assert grouping.due(MORNING - 1) is None
    assert grouping.due(MORNING) is None
    notice = shown(grouping, MORNING)
    assert notice is not None
    assert notice.title == "voicetop: 1 alert, 2 resolved"
    grouping.add(effect("resolved", 3, tier="warning"), MORNING + 60)
    assert shown(grouping, MORNING + 60) is not None


def test_an_alert_that_turns_critical_in_quiet_hours_is_shown_once_at_once() -> None:
    grouping = NoticeGrouping(NotifyConfig(quiet="22:00-07:00"), utc=True)
    grouping.add(effect(tier="warning"), NIGHT)
    grouping.add(effect("worse", tier="critical"), NIGHT + 60)
    assert shown(grouping, NIGHT + 60) is not None
    assert grouping.wait(NIGHT + 120) is None


def test_only_alerts_that_were_shown_are_shown_as_resolved() -> None:
    grouping = NoticeGrouping(NotifyConfig(least="critical"), utc=True)
    grouping.add(effect(tier="warning"), NOON)
    grouping.add(effect("resolved", tier="warning"), NOON)
    grouping.add(effect(number=2, silenced=True), NOON)
    grouping.add(effect("acknowledged", 3), NOON)
    assert grouping.wait(NOON) is None
    grouping.add(effect(number=4), NOON)
    assert shown(grouping, NOON) is not None
    grouping.add(effect("resolved", 4), NOON + 60)
    notice = shown(grouping, NOON + 60)
    assert notice is not None
    assert notice.title.startswith("● RESOLVED")
