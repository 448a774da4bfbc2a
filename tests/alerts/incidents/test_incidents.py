from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import pytest

from voicetop.alerts.incidents.incident import Incident
from voicetop.alerts.incidents.lifecycle import MAX_CLOSED, MAX_OPEN, Incidents
from voicetop.alerts.incidents.operator_actions import operate
from voicetop.alerts.incidents.policy import AFTERMATH_S, WIDEN_S
from voicetop.alerts.signals import Effect, Family, Signal, Tier
from voicetop.engine.config import Policy
from voicetop.engine.snapshot import NAN, Trouble, Where
from voicetop.wire.events import Operator

AT = 1_795_356_450.0
BILLING: Where = (("intent", "billing"),)
BILLING_ES: Where = (("intent", "billing"), ("language", "es"))
TIERS: tuple[Tier, ...] = ("warning", "critical")
FAMILIES: tuple[Family, ...] = ("errors", "waiting", "success", "feed", "cost")
RULES: tuple[tuple[str, Family], ...] = (
    ("errors.llm", "errors"),
    ("latency", "latency"),
    ("success", "success"),
)
GOLD: Where = (("tier", "gold"),)


def signal(
    rule: str = "errors.llm",
    family: Family = "errors",
    tier: Tier = "warning",
    where: Where = (),
    onset: float = AT - 30,
    text: str = "",
) -> Signal:
    said = text or f"{rule} of {' × '.join(value for _, value in where) or 'everybody'}"
    return Signal(
        rule, family, tier, said, onset, where, value=0.041, normal=0.012, unit="rate", n=631, metric="errors"
    )


class Story:
    """Marks every five seconds, and what was said outside."""

    def __init__(self, incidents: Incidents | None = None) -> None:
        self.incidents = incidents or Incidents()
        self.at = AT
        self.said: list[Effect] = []

    def mark(self, *signals: Signal, times: int = 1, local: bool = False) -> list[Effect]:
        told: list[Effect] = []
        for _ in range(times):
            told += self.incidents.step(signals, self.at, deployment="acme", local=local)
            self.at += 5
        self.said += told
        return told

    def quiet(self, seconds: float) -> list[Effect]:
        return self.mark(times=int(seconds / 5))

    def act(
        self, act: str, target: str = "", text: str = "", until: float = NAN, by: str = "ana"
    ) -> list[Effect]:
        event = Operator(ts=self.at, act=act, by=by, target=target, text=text, until=until)
        told = operate(self.incidents, event, self.at, "acme")
        self.said += told
        return told

    @property
    def only(self) -> Incident:
        (one,) = self.incidents.opened
        return one

    @property
    def reasons(self) -> list[tuple[str, str]]:
        return [(effect.incident_id, effect.reason) for effect in self.said]


def reasons(effects: Sequence[Effect]) -> list[str]:
    return [effect.reason for effect in effects]


# -- firing and resolving ------------------------------------------------------------------------------------------


def test_a_signal_fires_at_once_and_resolves_when_there_was_no_sign_of_it_for_a_while() -> None:
    story = Story()
    assert reasons(story.mark(signal())) == ["fired"]
    assert story.mark(signal(), times=20) == []
    assert story.quiet(295) == []
    (over,) = story.quiet(10)
    assert over.reason == "resolved"
    (closed,) = story.incidents.closed
    assert closed.over_at == AT + 100
    assert closed.resolved_at == AT + 100 + 300


def test_a_latency_has_to_last_a_minute() -> None:
    story = Story()
    slow = signal("my_latency", "latency")
    assert story.mark(slow, times=12) == []
    assert story.only.phase == "pending"
    assert reasons(story.mark(slow)) == ["fired"]


def test_what_joins_one_that_waits_to_fire_does_not_wait_for_it() -> None:
    story = Story(Incidents(policies={"patient": Policy(for_s=300.0)}))
    patient = signal("patient", "errors")
    assert story.mark(patient, times=10) == []
    assert reasons(story.mark(patient, signal(tier="critical"))) == ["fired"]
    assert story.only.tier == "critical"


def test_what_stops_before_it_fires_was_nothing() -> None:
    story = Story()
    slow = signal("my_latency", "latency")
    story.mark(slow, times=8)
    story.mark()
    assert story.incidents.opened == []
    assert story.mark(slow, times=12) == []
    assert story.incidents.numbers == 0


def test_it_is_as_bad_as_it_ever_was_and_says_so_once() -> None:
    story = Story()
    story.mark(signal())
    (worse,) = story.mark(signal(tier="critical"))
    assert (worse.reason, worse.tier) == ("worse", "critical")
    assert story.mark(signal(), signal(tier="critical"), times=3) == []
    story.mark(signal(), times=3)
    assert story.only.tier == "critical"


def test_time_to_detection_counts_from_the_estimated_onset() -> None:
    story = Story()
    story.mark(signal(onset=AT - 42))
    assert story.only.fired_at - story.only.onset == 42
    story = Story()
    story.mark(signal(onset=AT + 100))
    assert story.only.onset == AT, "nothing begins after it was seen"


# -- onset -------------------------------------------------------------------------------------------------------


def dated(trouble: Trouble, **signals: object) -> Incident:
    """An incident that the verdict had a trouble for when it fired, and another one afterwards."""
    story = Story()
    found = msgspec.structs.replace(signal(onset=AT - 42), **signals)
    story.incidents.step([found], AT, troubles=[trouble])
    later = msgspec.structs.replace(trouble, since=AT - 500, marker="deploy v43")
    story.incidents.step([found], AT + 5, troubles=[later])
    return story.only


def trouble(kind: str = "errors", where: Where = (), earliest: float = AT - 95) -> Trouble:
    return Trouble(kind, AT - 90, "down", where=where, earliest=earliest, latest=AT - 70, marker="deploy v42")


def test_the_verdict_and_the_incident_have_one_onset() -> None:
    for where, its in (((), ()), (BILLING, ()), ((), BILLING), (BILLING_ES, BILLING)):
        incident = dated(trouble(where=where), where=its)
        assert (incident.onset, incident.marker) == (AT - 90, "deploy v42")
        assert (incident.earliest, incident.latest) == (AT - 95, AT - 70)
        assert incident.reported.marker == "deploy v42"


def test_a_trouble_of_something_else_or_of_unknown_onset_dates_nothing() -> None:
    for other in (trouble("latency"), trouble(where=GOLD), trouble(earliest=NAN)):
        incident = dated(other, where=BILLING, earliest=AT - 50, latest=AT - 30)
        assert (incident.onset, incident.marker) == (AT - 42, "")
        assert (incident.earliest, incident.latest) == (AT - 50, AT - 30)


def test_time_to_detection_is_told_from_the_deploy_that_an_alarm_began_with() -> None:
    story = Story()
    (fired,) = story.mark(
        msgspec.structs.replace(signal(onset=AT - 42), marker="deploy v42", marker_lag_s=0.0)
    )
    assert fired.to_detect_s == 42
    assert fired.blame.endswith("began with deploy v42")
    assert story.only.marker == "deploy v42"


def test_a_deploy_some_time_before_is_not_the_onset() -> None:
    incident = dated(trouble("latency"), marker="deploy v42", marker_lag_s=40.0)
    assert incident.marker == ""
    assert incident.reported.marker_lag_s == 40


# -- figures -------------------------------------------------------------------------------------------------------


def errors(share: float, n: int = 600, rule: str = "errors.llm", *, low_is_bad: bool = False) -> Signal:
    text = f"{100 * share:.0f} %"
    return Signal(
        rule, "errors", "warning", text, AT - 30, value=share, normal=0.01, unit="rate", n=n, metric="errors",
        low_is_bad=low_is_bad,
    )  # fmt: skip


def test_the_figures_at_firing_at_its_worst_and_at_its_end_are_kept_apart() -> None:
    story = Story()
    for share in (0.018, 0.024, 0.013):
        story.mark(errors(share))
    story.quiet(305)
    (over,) = story.incidents.closed
    assert over.at_firing is not None
    assert over.worst is not None
    assert [over.at_firing.value, over.worst.value, over.last.value] == [0.018, 0.024, 0.013]
    assert [over.at_firing.at, over.worst.at, over.last.at] == [AT, AT + 5, AT + 10]
    fired, resolved = story.said
    assert fired.summary == "2 %"
    assert resolved.summary == "2 %, worst 2.4×, last 1.3×"
    assert resolved.blame.startswith("errors 1.8 % (1.8× normal 1.0 %"), "the figure that it fired for"


def test_few_observations_are_never_its_worst() -> None:
    story = Story()
    story.mark(errors(0.018))
    story.mark(errors(1.0, n=3))
    assert story.only.worst is not None
    assert story.only.worst.value == 0.018
    story = Story()
    story.mark(errors(0.67, n=3))
    assert story.only.worst is None
    story.mark(errors(0.02))
    assert story.only.worst is None, "nothing worse than when it fired"


def test_of_a_figure_that_should_be_high_the_lowest_is_the_worst() -> None:
    story = Story()
    for share in (0.7, 0.4, 0.6):
        story.mark(errors(share, low_is_bad=True))
    assert story.only.worst is not None
    assert story.only.worst.value == 0.4


def test_a_multiple_of_a_normal_that_it_fell_below_says_little() -> None:
    story = Story()
    for share in (0.7, 0.4, 0.6):
        story.mark(msgspec.structs.replace(errors(share, low_is_bad=True), normal=0.9))
    (resolved,) = story.quiet(310)
    assert resolved.summary == "70 %, worst 40.0 %, last 60.0 %"


def test_another_figure_that_leads_is_not_compared_but_named() -> None:
    story = Story()
    story.mark(errors(0.018))
    story.mark(errors(0.5, rule="other"))
    assert story.only.worst is not None
    assert story.only.worst.value == 0.018
    (resolved,) = story.quiet(310)
    assert resolved.summary == "2 %, worst 1.8×, last 50 %"


def test_what_it_was_like_before_it_fired_counts_too() -> None:
    story = Story(Incidents(policies={"errors": Policy(for_s=10.0)}))
    for share in (0.09, 0.03, 0.05):
        story.mark(errors(share))
    assert story.only.firing
    assert story.only.worst is not None
    assert (story.only.worst.value, story.only.worst.at) == (0.09, AT)


def test_incidents_of_an_earlier_version_have_only_their_last_figure() -> None:
    story = Story()
    story.mark(errors(0.018))
    state = msgspec.to_builtins(story.incidents)
    for kept in state["opened"]:
        del kept["at_firing"], kept["worst"]
    story = Story(msgspec.convert(state, Incidents))
    story.mark(errors(0.024))
    assert story.only.at_firing is None
    (resolved,) = story.quiet(310)
    assert resolved.summary == "2 %"


# -- grouping ------------------------------------------------------------------------------------------------------


def test_one_family_at_one_time_in_nested_segments_is_one_incident() -> None:
    story = Story()
    story.mark(signal())
    assert story.mark(signal(), signal("errors.tts"), signal(where=BILLING)) == []
    assert list(story.only.also) == ["errors.tts"]


def test_another_family_or_another_segment_is_another_incident_under_another_key() -> None:
    story = Story()
    told = story.mark(signal(where=BILLING), signal(where=GOLD), signal("waiting", "waiting"))
    assert reasons(told) == ["fired"] * 3
    assert len({effect.key for effect in told}) == 3


def test_the_same_signals_in_any_order_give_the_same_incidents() -> None:
    signals = [
        signal(where=where, rule=rule, tier=tier)
        for where in ((), BILLING, BILLING_ES, GOLD)
        for rule in ("errors.llm", "errors.tts")
        for tier in TIERS
    ]
    states = set()
    for seed in range(10):
        random.Random(seed).shuffle(signals)
        story = Story()
        story.mark(*signals, times=3)
        states.add(msgspec.msgpack.encode(story.incidents))
    assert len(states) == 1


def test_the_segment_that_the_scan_finds_later_is_shown_under_the_same_key() -> None:
    story = Story()
    (first,) = story.mark(signal())
    assert story.mark(signal(where=BILLING_ES)) == []
    assert story.only.segment == BILLING_ES
    assert story.only.where == ()
    assert story.only.key("acme") == first.key


def test_everybody_must_last_to_be_news_over_the_segment_found_first() -> None:
    story = Story()
    story.mark(signal(where=BILLING))
    assert story.mark(signal(), times=int(WIDEN_S / 5)) == []
    (fired,) = story.mark(signal())
    assert (fired.reason, fired.where) == ("fired", ())
    narrow = story.incidents.opened[0]
    assert (narrow.where, narrow.part_of) == (BILLING, "i2")


def test_a_page_for_everybody_does_not_wait_for_a_warning_of_a_segment() -> None:
    story = Story()
    story.mark(signal(where=BILLING))
    (fired,) = story.mark(signal(tier="critical"))
    assert (fired.reason, fired.tier, fired.where) == ("fired", "critical", ())


# -- inhibitions ---------------------------------------------------------------------------------------------------


def test_a_page_mutes_the_warnings_of_its_family() -> None:
    story = Story()
    story.mark(signal(tier="critical", where=BILLING))
    assert story.mark(signal(tier="critical", where=BILLING), signal(where=GOLD), times=3) == []
    assert story.incidents.opened[1].part_of == "i1"


def test_what_was_muted_speaks_when_it_stands_alone() -> None:
    story = Story()
    story.mark(signal(tier="critical", where=BILLING))
    story.mark(signal(tier="critical", where=BILLING), signal(where=GOLD))
    told = story.mark(signal(where=GOLD), times=61)
    assert [(effect.reason, effect.where) for effect in told] == [("resolved", BILLING), ("fired", GOLD)]


def test_what_was_told_before_it_was_muted_is_told_to_be_over() -> None:
    story = Story()
    story.mark(signal(where=GOLD))
    story.mark(signal(tier="critical", where=BILLING))
    told = story.quiet(600)
    assert {(effect.reason, effect.where) for effect in told} == {("resolved", BILLING), ("resolved", GOLD)}


@pytest.mark.parametrize("family", ["success", "sentiment", "abandonment"])
def test_an_outage_mutes_what_it_does_to_callers_until_their_windows_have_forgotten_it(
    family: Family,
) -> None:
    story = Story()
    down, downstream = signal(tier="critical"), signal(family, family)
    story.mark(down)
    assert story.mark(down, downstream, times=10) == []
    over = story.at - 5
    told = story.mark(downstream, times=int(AFTERMATH_S / 5) + 5)
    assert [(effect.family, effect.reason) for effect in told] == [("errors", "resolved"), (family, "fired")]
    assert told[1].at >= over + AFTERMATH_S


def test_cost_has_nothing_to_do_with_an_outage() -> None:
    story = Story()
    story.mark(signal(tier="critical"))
    assert reasons(story.mark(signal(tier="critical"), signal("cost", "cost"))) == ["fired"]


# -- a silent feed -------------------------------------------------------------------------------------------------


def test_when_the_feed_is_lost_it_says_so_and_nothing_else() -> None:
    story = Story()
    story.mark(signal())
    lost = signal("feed", "feed", "critical", text="blind: the feed is silent for 10 s")
    told = story.mark(lost, signal("waiting", "waiting"), times=200)
    assert [(effect.family, effect.reason) for effect in told] == [("feed", "fired")]
    assert story.mark(signal()) == []
    (back,) = story.mark(signal())
    assert (back.family, back.reason) == ("feed", "resolved")
    assert story.only.family == "errors", "what was on before is neither over nor new"


def test_what_waits_to_fire_comes_no_nearer_while_blind() -> None:
    story = Story()
    slow = signal("my_latency", "latency")
    lost = signal("feed", "feed", "critical")
    story.mark(slow, times=6)
    story.mark(lost, times=100)
    told = story.mark(slow, times=5)
    assert [effect.family for effect in told if effect.reason == "fired"] == []
    assert "fired" in reasons(story.mark(slow, times=3))


def test_security_is_no_metric_and_is_told_even_then() -> None:
    story = Story()
    breach = signal("security", "security", "critical")
    told = story.mark(signal("feed", "feed", "critical"), breach)
    assert {effect.family for effect in told} == {"feed", "security"}


def test_what_only_this_console_sees_is_counted_by_itself() -> None:
    """Its line is down, the others' isn't: their next incident has the number that it has everywhere."""
    story = Story()
    story.mark(signal("feed", "feed", "critical"), local=True)
    story.quiet(60)
    story.mark(signal())
    assert story.reasons == [("L1", "fired"), ("L1", "resolved"), ("i1", "fired")]


# -- at once -------------------------------------------------------------------------------------------------------


def test_what_can_not_wait_fires_between_two_marks_and_touches_nothing_else() -> None:
    story = Story()
    story.mark(signal("latency.llm", "latency"), times=3)
    before = story.only.seen
    breach = signal("compliance", "compliance", "critical")
    told = story.incidents.step_urgent([breach], story.at - 2.25, deployment="acme")
    assert [(effect.family, effect.reason, effect.at) for effect in told] == [
        ("compliance", "fired", story.at - 2.25)
    ]
    assert story.incidents.opened[0].seen == before


def test_another_kind_of_security_event_pages_though_one_is_open() -> None:
    story = Story()
    leak = signal("security.leak", "security", "critical")
    probe = signal("security.probe", "security", "critical")
    story.mark(leak)
    (told,) = story.mark(leak, probe)
    assert (told.rule, told.incident_id, told.reason) == ("security.probe", "i2", "fired")


def test_a_security_event_after_one_that_was_resolved_by_hand_pages_again() -> None:
    story = Story()
    leak = signal("security.leak", "security", "critical")
    story.mark(leak)
    story.act("resolve", "i1")
    assert reasons(story.mark(leak)) == ["resolved"]
    (told,) = story.mark(msgspec.structs.replace(leak, n=leak.n + 1))
    assert (told.reason, told.incident_id) == ("fired", "i2")


# -- flapping and keys ---------------------------------------------------------------------------------------------


def test_what_comes_and_goes_keeps_on_firing_longer_each_time() -> None:
    story = Story()
    for _ in range(40):
        story.mark(signal(), times=2)
        story.quiet(400)
    fired = [effect for effect in story.said if effect.reason == "fired"]
    assert len(fired) < 5, "in 4.5 hours of coming and going"
    assert len({effect.key for effect in fired}) == len(fired)
    assert story.only.times == len(fired)


def test_the_key_depends_on_neither_severity_nor_value_but_on_the_deployment() -> None:
    keys = set()
    for tier in TIERS:
        story = Story()
        story.mark(signal(tier=tier, text=tier))
        keys.add(story.only.key("acme"))
        keys.add(story.only.key("other"))
    assert len(keys) == 2


# -- people --------------------------------------------------------------------------------------------------------


def test_an_acknowledgement_has_a_time_and_an_author_and_ends_with_its_incident() -> None:
    story = Story()
    story.mark(signal())
    (told,) = story.act("ack", "i1")
    assert (told.reason, told.by) == ("acknowledged", "ana")
    assert story.act("ack", "i1", by="ben") == [], "it is taken already"
    assert (story.only.acked_by, story.only.acked_at) == ("ana", story.at)
    story.quiet(400)
    story.mark(signal(), times=20)
    assert story.only.acked_by == ""


def test_unack_gives_it_back() -> None:
    story = Story()
    story.mark(signal())
    story.act("ack", "i1")
    (told,) = story.act("unack", "i1", by="ben")
    assert story.only.acked_by == ""
    assert (told.reason, told.by) == ("returned", "ben"), "whoever was told that somebody has it is told"
    assert story.act("unack", "i1") == []


def test_resolved_by_hand_stays_resolved_while_its_signal_goes_on() -> None:
    story = Story()
    story.mark(signal())
    story.act("resolve", "i1", "known issue")
    (over,) = story.mark(signal())
    assert (over.reason, over.by) == ("resolved", "ana")
    assert story.mark(signal(), times=500) == []
    story.quiet(400)
    assert reasons(story.mark(signal())) == ["fired"], "it came back after it was gone"


def test_resolved_by_hand_speaks_again_when_it_gets_worse() -> None:
    story = Story()
    story.mark(signal())
    story.act("resolve", "i1")
    story.mark(signal())
    (fired,) = story.mark(signal(tier="critical"))
    assert (fired.reason, fired.incident_id) == ("fired", "i2")


def test_a_silence_keeps_it_quiet_and_its_resolved_is_still_told() -> None:
    story = Story()
    story.act("silence", "family=errors intent=billing", "maintenance", until=AT + 3600)
    told = story.mark(signal(where=BILLING), signal(where=GOLD))
    assert {(effect.where, effect.silenced) for effect in told} == {(BILLING, True), (GOLD, False)}
    (over,) = [effect for effect in story.quiet(400) if effect.where == BILLING]
    assert over.reason == "resolved"


def test_when_the_silence_ends_what_still_fires_is_told_aloud() -> None:
    story = Story()
    story.act("silence", "rule=errors.llm", until=AT + 60)
    assert [effect.silenced for effect in story.mark(signal())] == [True]
    told = story.mark(signal(), times=20)
    assert [(effect.reason, effect.silenced) for effect in told] == [("fired", False)]
    assert story.incidents.silences == []


def test_a_silence_can_be_taken_back_and_an_incident_silenced_by_its_id() -> None:
    story = Story()
    story.mark(signal())
    story.act("silence", "i1", until=AT + 600)
    story.mark(signal())
    assert story.only.silence == 1
    story.act("unsilence", "s1")
    story.mark(signal())
    assert story.only.silence == 0


def test_acts_that_name_nothing_are_counted_and_do_nothing() -> None:
    story = Story()
    story.mark(signal())
    before = msgspec.msgpack.encode(story.only)
    for act, target, until in (
        ("ack", "i9", NAN),
        ("silence", "", AT + 60),
        ("silence", "nonsense = x", AT + 60),
        ("silence", "i1", AT - 60),
        ("silence", "i1", NAN),
        ("unsilence", "s4", NAN),
    ):
        assert story.act(act, target, until=until) == []
    story.act("runbook_tick", "i1", "two")
    assert story.incidents.refused == 7
    assert msgspec.msgpack.encode(story.only) == before
    story.act("bookmark", text="here")
    story.act("note", text="on the timeline")
    assert story.incidents.refused == 7


def test_what_has_not_fired_has_no_name_and_can_not_be_acted_upon() -> None:
    story = Story()
    story.mark(signal("slow", "latency"))
    story.act("ack", story.only.id)
    assert (story.incidents.refused, story.only.acked_by) == (1, "")


def test_notes_and_ticks_are_kept_with_their_author() -> None:
    story = Story()
    story.mark(signal())
    story.act("note", "i1", "called the provider")
    story.act("runbook_tick", "i1", "2")
    story.act("runbook_tick", "i1", "2", by="ben")
    story.act("runbook_tick", "i1", "3")
    story.act("runbook_tick", "i1", "-3")
    assert [(remark.by, remark.text) for remark in story.only.notes] == [("ana", "called the provider")]
    assert {step: remark.by for step, remark in story.only.ticks.items()} == {2: "ana"}


# -- bounds and determinism ----------------------------------------------------------------------------------------


def test_a_storm_is_bounded_and_says_what_found_no_room() -> None:
    story = Story()
    storm = [signal(where=(("account", str(number)),)) for number in range(MAX_OPEN + 50)]
    story.mark(*storm)
    assert len(story.incidents.opened) == MAX_OPEN
    assert story.incidents.crowded == 50
    story.at += 400
    story.mark()
    assert story.incidents.opened == []
    assert len(story.incidents.closed) == MAX_CLOSED
    assert reasons(story.said).count("fired") == reasons(story.said).count("resolved") == MAX_OPEN


def test_state_goes_through_a_checkpoint_unchanged_and_goes_on_alike() -> None:
    dice = random.Random(11)
    one, two = Story(), Story()
    pool = [
        signal(rule, family, tier, where)
        for rule, family in RULES
        for tier in TIERS
        for where in ((), BILLING, BILLING_ES, GOLD)
    ]
    for _ in range(300):
        signals = [each for each in pool if dice.random() < 0.1]
        one.mark(*signals)
        two.incidents = msgspec.msgpack.decode(msgspec.msgpack.encode(two.incidents), type=Incidents)
        two.mark(*signals)
        if dice.random() < 0.1:
            act, target = dice.choice(("ack", "resolve", "silence")), f"i{dice.randrange(1, 9)}"
            one.act(act, target, until=one.at + 60)
            two.act(act, target, until=two.at + 60)
    assert msgspec.msgpack.encode(one.incidents) == msgspec.msgpack.encode(two.incidents)
    assert one.said == two.said or repr(one.said) == repr(two.said)


def test_whoever_is_told_that_it_fired_is_told_that_it_is_over() -> None:
    """Whatever happens: for every key as many resolved as fired, once all is quiet."""
    for seed in range(8):
        dice = random.Random(seed)
        story = Story()
        pool = [
            signal(f"{family}.{number}", family, tier, where)
            for family in FAMILIES
            for number in range(2)
            for tier in TIERS
            for where in ((), BILLING, GOLD)
        ]
        on: set[int] = set()
        for _ in range(400):
            on ^= {index for index in range(len(pool)) if dice.random() < 0.01}
            story.mark(*(pool[index] for index in sorted(on)))
            if dice.random() < 0.1:
                act = dice.choice(("ack", "resolve", "silence", "unack"))
                story.act(act, f"i{dice.randrange(1, 20)}", until=story.at + dice.choice((30, 300)))
        for _ in range(8 * 60):
            story.at += 55
            story.mark()
        loud = [effect.key for effect in story.said if effect.reason == "fired" and not effect.silenced]
        over = [effect.key for effect in story.said if effect.reason == "resolved"]
        assert len(loud) == len(set(loud)), "no key fires aloud twice"
        assert len(over) == len(set(over))
        assert set(loud) <= set(over)
        assert story.incidents.opened == []


def test_an_incident_of_a_segment_stays_alive_while_its_rule_is_about_to_fire_for_all() -> None:
    story = Story()
    story.mark(signal(where=BILLING))
    story.quiet(250)
    wide = int(WIDEN_S / 5)
    story.mark(signal(), times=wide)
    billing = next(one for one in story.incidents.opened if one.where == BILLING)
    assert billing.seen == story.at - 5
    assert ("resolved", billing.id) not in [(effect.reason, effect.incident_id) for effect in story.said]
