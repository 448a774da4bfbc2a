"""Is everything working? One verdict from the engine's judge and the open incidents.

The judge decides what is wrong now and what has recovered. Incidents add what it doesn't look at, and attribute the
troubles of their family, firing or not. An incident whose trouble has recovered, or that an outage which is over
explains, stays open for a while and doesn't change the verdict. A silence affects notifications, not the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from voicetop.alerts.incident_text import segment_text, verdict_parts
from voicetop.alerts.incidents.incident import Incident
from voicetop.alerts.incidents.lifecycle import Incidents
from voicetop.alerts.incidents.policy import AFTERMATH_S, DOWNSTREAM, UPSTREAM
from voicetop.alerts.trouble_text import recovered_text
from voicetop.engine.engine import Engine
from voicetop.engine.feed_state import BLIND_AFTER
from voicetop.engine.judge.judge import CLEAR_S, ONE_OUTAGE_S, Judge
from voicetop.engine.judge.judge import UPSTREAM as JUDGED_UPSTREAM
from voicetop.engine.judge.outcomes import SETTLED_S
from voicetop.engine.snapshot import NAN, FeedState, Severity, Trouble, Verdict
from voicetop.formatting import labels
from voicetop.formatting.numbers import counted, known, whole_percent
from voicetop.formatting.times import span
from voicetop.views import troubles as judged
from voicetop.views.troubles import UsualFor
from voicetop.views.verdict_text import Statement, of_trouble, ranked_statements, sentence

DOWN_STAYS_S = 60.0
NOBODY = "no publisher connected: the last one has left"


def plain_verdict(engine: Engine, feed: FeedState, usual_for: UsualFor) -> Verdict:
    """The verdict of the engine's judge, without incidents; `usual_for` gives the normals of a segment."""
    at, usual = engine.at, usual_for(())
    on, recovering = judged.current(engine, usual_for)
    everything = (*on, *recovering)
    on = [statement.trouble for statement in ranked_statements([of_trouble(trouble) for trouble in on])]
    verdict = Verdict("ok", "", troubles=tuple(on), recovering=tuple(recovering))
    if feed.silent_s >= BLIND_AFTER:
        return replace(
            verdict, severity="blind", text=f"feed silent for {span(feed.silent_s)}", since=feed.last_at
        )
    if feed.publishers and feed.publishers == feed.publishers_silent:
        return replace(
            verdict,
            severity="blind",
            text=f"hub is up, but {_publishers(feed)} sending",
            since=at - feed.publishers_silent_s,
        )
    if feed.behind_s > 0:
        text = f"history is loading, events are {span(feed.behind_s)} behind"
        return replace(verdict, severity="catching_up", text=text)
    if on:
        since = onset_of(on, everything)
        severity = _severity(on, recovering, at)
        text = sentence(ranked_statements([of_trouble(trouble) for trouble in _stated(on)]))
        if recovering and on[0].kind not in JUDGED_UPSTREAM:
            text = f"{text} · {_recovery(recovering[:1], at)}"
        return replace(verdict, severity=severity, text=text, since=since)
    if recovering:
        since = onset_of(recovering, recovering)
        return replace(verdict, severity="recovering", text=_recovery(recovering, at), since=since)
    if known(feed.idle_since):
        return replace(verdict, severity="idle", text=NOBODY, since=feed.idle_since)
    live = len(engine.roster.live)
    calls = counted(live, "call") if live else "no calls right now"
    if not usual.learned:
        left = usual.left(at)
        text = f"{calls} · learning baseline, {span(max(60.0, left))} left"
        return Verdict("learning", text, learning_s=left)
    capacity = engine.load.limit
    share = f" · {whole_percent(live / capacity)} of tested limit" if capacity else ""
    return Verdict("ok", f"{calls} · {_all_figures(engine, usual_for)}{share}")


def _stated(troubles: Sequence[Trouble]) -> Sequence[Trouble]:
    """Those to say: that callers were stuck until a moment ago only where nothing else is wrong."""
    return [one for one in troubles if one.kind != "waiting" or one.value] or troubles


def onset_of(worst: Sequence[Trouble], known_troubles: Sequence[Trouble]) -> float:
    """Since when: the onset of the worst trouble, and of what began with it; a change that is named is exact."""
    lead = worst[0]
    if lead.kind not in JUDGED_UPSTREAM:
        return lead.since
    together = [
        one
        for one in known_troubles
        if one.kind in JUDGED_UPSTREAM and abs(one.since - lead.since) <= ONE_OUTAGE_S
    ]
    named = [one.since for one in together if one.marker]
    return min(named or [one.since for one in together])


def _severity(on: Sequence[Trouble], recovering: Sequence[Trouble], at: float) -> Severity:
    """That of the worst trouble; still down for a minute after a part of the same outage that was has recovered."""
    if not on:
        return "recovering" if recovering else "ok"
    lead = on[0]
    was_down = lead.kind in JUDGED_UPSTREAM and any(
        one.severity == "down"
        and at - one.recovered < DOWN_STAYS_S
        and abs(one.since - lead.since) <= ONE_OUTAGE_S
        for one in recovering
    )
    return "down" if was_down else lead.severity


def _recovery(recovering: Sequence[Trouble], at: float) -> str:
    """What is normal again, the last to recover first."""
    last_first = sorted(recovering, key=lambda trouble: -trouble.recovered)
    return " · ".join(recovered_text(trouble, at) for trouble in last_first[:2])


def _all_figures(engine: Engine, usual_for: UsualFor) -> str:
    """That all figures are normal; or which are not, because of what is over."""
    late = judged.leftovers(engine, usual_for)
    if not late:
        return "all figures normal"
    return f"normal now, {' and '.join(late[:2])} still off"


def verdict_of(
    plain: Verdict,
    opened: Iterable[Incident],
    at: float,
    last_resolved: float = NAN,
    judge: Judge | None = None,
) -> Verdict:
    """The combined verdict of judge and open incidents at stamp time `at`.

    If all is well, it gives the time since the last incident was resolved (stamp time `last_resolved`).
    """
    opened = list(opened)
    plain = _attributed(plain, opened)
    active = [incident for incident in opened if incident.firing and not _is_over(incident, plain, judge, at)]
    firing = [incident for incident in active if at - incident.seen < CLEAR_S]
    judged_kinds = {trouble.kind for trouble in (*plain.troubles, *plain.recovering)}
    quiet = [one for one in active if at - one.seen >= CLEAR_S and one.family not in judged_kinds]
    plain = _with_quiet_alerts(plain, quiet, at)
    statements = [
        _statement_of(incident)
        for incident in firing
        if not incident.part_of and incident.tier != "info" and incident.family not in judged_kinds
    ]
    if plain.severity in ("blind", "catching_up"):
        return plain
    if not statements:
        return _all_well(plain, at - last_resolved) if plain.severity == "ok" else plain
    ranked = ranked_statements([*(of_trouble(trouble) for trouble in plain.troubles), *statements])
    found = tuple(statement.trouble for statement in ranked)
    stated = ranked_statements([*(of_trouble(trouble) for trouble in _stated(plain.troubles)), *statements])
    since = onset_of(found, (*found, *plain.recovering))
    if plain.troubles and abs(plain.since - since) <= ONE_OUTAGE_S:
        since = min(since, plain.since)
    return replace(
        plain, severity=found[0].severity, text=sentence(stated), since=min(since, at), troubles=found
    )


def _is_over(incident: Incident, plain: Verdict, judge: Judge | None, at: float) -> bool:
    """Whether what an incident is about has recovered, though its evidence fades more slowly."""
    if judge is None or incident.family in {trouble.kind for trouble in plain.troubles}:
        return False
    over = judge.over.get(incident.family, 0.0)
    if at - over < AFTERMATH_S and incident.onset <= over:
        return True
    explained = at - judge.upstream_until < AFTERMATH_S and incident.onset <= judge.upstream_until + SETTLED_S
    return incident.family in DOWNSTREAM and explained


def severity_of(engine: Engine, incidents: Incidents, at: float) -> Severity:
    """The severity of that verdict for the whole fleet; "learning" counts as ok."""
    if engine.feed.blind:
        return "blind"
    if engine.feed.behind_s:
        return "catching_up"
    standing = engine.judge.standing.values()
    calm: Severity = "idle" if engine.feed.idle else "ok"
    if not standing and not incidents.opened:
        return calm
    ranked = ranked_statements([of_trouble(active.trouble) for active in standing if active.on])
    on = tuple(statement.trouble for statement in ranked)
    recovering = [active.trouble for active in standing if not active.on]
    plain = Verdict(_severity(on, recovering, at) if standing else calm, "", troubles=on)
    return verdict_of(plain, incidents.opened, at, judge=engine.judge).severity


def _attributed(plain: Verdict, opened: Iterable[Incident]) -> Verdict:
    """The judge's verdict with the segments that open incidents name; a trouble measured in a segment keeps its own.

    A rule about one segment doesn't attribute a fleet-wide trouble.
    """
    named = {
        incident.family: incident for incident in opened if not incident.part_of and _attributes(incident)
    }
    troubles = tuple(
        trouble
        if trouble.local or trouble.kind not in named
        else replace(trouble, where=named[trouble.kind].segment, explains=named[trouble.kind].lead.explains)
        for trouble in plain.troubles
    )
    if troubles == plain.troubles:
        return plain
    text = (
        plain.text
        if plain.severity == "blind"
        else sentence([of_trouble(trouble) for trouble in _stated(troubles)])
    )
    return replace(plain, text=text, troubles=troubles)


def _attributes(incident: Incident) -> bool:
    return not incident.segment or known(incident.lead.explains)


def _with_quiet_alerts(plain: Verdict, quiet: list[Incident], at: float) -> Verdict:
    """The judge's verdict, naming incidents that still fire though their signal has stopped."""
    named = [
        f"{incident.family} alert ({incident.id}) quiet for {span(at - incident.seen)}"
        for incident in quiet
        if not incident.part_of
    ]
    if not named or plain.severity == "blind":
        return plain
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return replace(plain, text=f"{plain.text} · {named[0]}{more}")


def _statement_of(incident: Incident) -> Statement:
    """An incident as a statement."""
    lead = incident.lead
    page = incident.tier == "critical" and incident.family in UPSTREAM and not incident.segment
    trouble = Trouble(
        kind=incident.family,
        since=incident.onset,
        severity="down" if page else "degraded",
        value=lead.value,
        normal=lead.normal,
        n=lead.n,
        where=incident.segment,
        explains=lead.explains,
        stage=lead.stage,
    )
    segment = segment_text(lead.where, lead.explains) if lead.where else ""
    return Statement(trouble, lead.text, segment, tuple(verdict_parts(lead)))


def _all_well(plain: Verdict, resolved_s: float) -> Verdict:
    if not known(resolved_s):
        return plain
    return replace(plain, text=f"{plain.text} · last alert {span(max(0.0, resolved_s))} ago, resolved")


def with_unknown(verdict: Verdict, engine: Engine) -> Verdict:
    """The verdict, saying how many callers nobody knows of because their publisher is silent."""
    waits = engine.waits
    unknown = waits.unknown_calls(engine.roster.live.values(), None)
    if not unknown or verdict.severity == "blind":
        return verdict
    lasts = engine.at - min(waits.unknown_since(call) for call in unknown)
    replies = labels.unknown_replies(len(unknown), f"for {span(lasts)}")
    return replace(verdict, text=f"{verdict.text} · {replies}")


def _publishers(feed: FeedState) -> str:
    return "no publisher is" if feed.publishers == 1 else f"none of its {feed.publishers} publishers is"
