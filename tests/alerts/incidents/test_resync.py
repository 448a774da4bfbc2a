"""A state in the middle of a feed: nobody is left with an alert that isn't there, or without one that is."""

from __future__ import annotations

from alerts.incidents.test_incidents import AT, Story, signal
from voicetop.alerts.incidents.lifecycle import Incidents
from voicetop.alerts.incidents.resync import effects_between
from voicetop.alerts.signals import Effect

WAITING = signal("waiting", "waiting", "critical")
BLIND = signal("feed.silent", "feed", "critical")


def news(before: Story, after: Story) -> list[tuple[str, str]]:
    return [(one.incident_id, one.reason) for one in told(before.incidents, after.incidents)]


def told(before: Incidents, after: Incidents) -> list[Effect]:
    return effects_between(before, after, AT + 100, "acme")


def test_the_same_on_both_sides_is_no_news() -> None:
    here, hub = Story(), Story()
    for story in (here, hub):
        story.mark(signal(), WAITING)
        story.act("ack", "i1")
    assert news(here, hub) == []
    assert told(here.incidents, here.incidents) == []


def test_what_only_this_console_saw_is_over() -> None:
    here, hub = Story(), Story()
    here.mark(WAITING)
    here.mark(BLIND, local=True)
    assert sorted(news(here, hub)) == [("L1", "resolved"), ("i1", "resolved")]
    (gone, *_) = told(here.incidents, hub.incidents)
    assert gone.blame == "no longer known"


def test_what_fired_meanwhile_is_told_and_what_ended_meanwhile_too() -> None:
    here, hub = Story(), Story()
    for story in (here, hub):
        story.mark(signal())
    hub.act("resolve", "i1")
    hub.mark(WAITING)
    assert news(here, hub) == [("i1", "resolved"), ("i2", "fired")]


def test_what_got_worse_meanwhile_is_told_at_its_new_tier() -> None:
    here, hub = Story(), Story()
    for story in (here, hub):
        story.mark(signal())
    hub.mark(signal(tier="critical"))
    (worse,) = told(here.incidents, hub.incidents)
    assert (worse.reason, worse.tier) == ("worse", "critical")


def test_one_number_for_two_things_is_an_end_and_a_beginning_under_two_keys() -> None:
    here, hub = Story(), Story()
    here.mark(signal())
    hub.mark(WAITING)
    found = told(here.incidents, hub.incidents)
    assert {(one.family, one.reason) for one in found} == {("errors", "resolved"), ("waiting", "fired")}
    assert len({one.key for one in found}) == 2


def test_what_is_silenced_or_part_of_another_says_nothing() -> None:
    here, hub = Story(), Story()
    hub.act("silence", "family=errors", until=AT + 5000)
    hub.mark(signal(), WAITING, signal("success", "success"))
    assert news(here, hub) == [("i1", "fired")] or news(here, hub) == [("i2", "fired")]
