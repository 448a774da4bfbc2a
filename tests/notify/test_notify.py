"""The watcher is killed again and again in a storm of incidents, while its pagers fail: nothing is lost or doubled."""

from __future__ import annotations

import pytest

from notify.storm import storm

pytest.importorskip("pagerduty")
pytest.importorskip("slack_sdk")


@pytest.mark.soak
@pytest.mark.timeout(1700)
async def test_200_kills_in_a_storm_of_500_incidents_lose_nothing_and_page_nobody_twice() -> None:
    report = await storm(500, 200, seconds=300.0)
    assert (report.lost_pages, report.lost_resolves, report.duplicates, report.lost_messages) == (
        0,
        0,
        0,
        0,
    ), report
    assert report.repeated_messages <= report.maybe_repeated
