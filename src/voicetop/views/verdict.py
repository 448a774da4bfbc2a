"""Is everything working? One verdict from the open incidents and the engine's own judgement.

It states firing incidents, each for its whole family, and the judge's troubles in families without a firing incident:
these are on the screen and true, though nobody was alerted. So there is one sentence, no figure appears twice, and it
is never "ok" while something fires. A silence affects notifications, not the verdict. A trouble whose family has an
open incident, firing or not, is attributed like that incident.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from voicetop.alerts.incident_text import segment_text, verdict_parts
from voicetop.alerts.incidents.incident import Incident
from voicetop.alerts.incidents.lifecycle import Incidents
from voicetop.alerts.incidents.policy import UPSTREAM
from voicetop.engine.engine import Engine
from voicetop.engine.feed_state import BLIND_AFTER
from voicetop.engine.normals import Normals
from voicetop.engine.snapshot import NAN, FeedState, Severity, Trouble, Verdict
from voicetop.engine.verdict import CLEAR_S
from voicetop.formatting.numbers import counted, known, whole_percent
from voicetop.formatting.times import span
from voicetop.views.verdict_text import Statement, of_trouble, ranked_statements, sentence


def plain_verdict(engine: Engine, feed: FeedState, usual: Normals) -> Verdict:
    """The verdict of the engine's judge, without incidents; `usual` are the whole fleet's normals."""
    at = engine.at
    troubles = tuple(replace(active.trouble, since=active.since) for active in engine.judge.standing.values())
    if feed.silent_s >= BLIND_AFTER:
        return Verdict("blind", f"feed silent for {span(feed.silent_s)}", feed.last_at, troubles)
    if feed.publishers and feed.publishers == feed.publishers_silent:
        return Verdict(
            "blind", f"hub is up, but {_publishers(feed)} sending", at - feed.publishers_silent_s, troubles
        )
    if troubles:
        worst = ranked_statements([of_trouble(trouble) for trouble in troubles])
        severity, since = worst[0].trouble.severity, min(trouble.since for trouble in troubles)
        return Verdict(severity, sentence(worst), since, tuple(statement.trouble for statement in worst))
    live = len(engine.roster.live)
    calls = counted(live, "call") if live else "no calls right now"
    if not usual.learned:
        left = usual.left(at)
        text = f"{calls} · learning baseline, {span(max(60.0, left))} left"
        return Verdict("learning", text, learning_s=left)
    capacity = engine.load.limit
    share = f" · {whole_percent(live / capacity)} of tested limit" if capacity else ""
    return Verdict("ok", f"{calls} · all figures normal{share}")


def verdict_of(plain: Verdict, opened: Iterable[Incident], at: float, last_resolved: float = NAN) -> Verdict:
    """The combined verdict of judge and open incidents at stamp time `at`.

    If all is well, it gives the time since the last incident was resolved (stamp time `last_resolved`).
    """
    opened = list(opened)
    plain = _attributed(plain, opened)
    open_incidents = [incident for incident in opened if incident.firing]
    firing = [incident for incident in open_incidents if at - incident.seen < CLEAR_S]
    plain = _with_quiet_alerts(
        plain, [incident for incident in open_incidents if at - incident.seen >= CLEAR_S], at
    )
    down = {trouble.kind for trouble in plain.troubles if trouble.severity == "down"}
    statements = [_statement_of(incident, down) for incident in firing if not incident.part_of]
    families = {incident.family for incident in firing}
    others = [of_trouble(trouble) for trouble in plain.troubles if trouble.kind not in families]
    ranked = ranked_statements([*statements, *others])
    troubles = tuple(statement.trouble for statement in ranked)
    if plain.severity == "blind":
        return replace(plain, troubles=troubles)
    if not statements:
        return _all_well(plain, at - last_resolved) if plain.severity == "ok" else plain
    since = min(trouble.since for trouble in troubles)
    return Verdict(troubles[0].severity, sentence(ranked), min(since, at), troubles)


def severity_of(engine: Engine, incidents: Incidents, at: float) -> Severity:
    """The severity of that verdict for the whole fleet; "learning" counts as ok."""
    if engine.feed.blind:
        return "blind"
    if not engine.judge.standing and not incidents.opened:
        return "ok"
    ranked = ranked_statements([of_trouble(active.trouble) for active in engine.judge.standing.values()])
    troubles = tuple(statement.trouble for statement in ranked)
    plain = Verdict(troubles[0].severity if troubles else "ok", "", troubles=troubles)
    return verdict_of(plain, incidents.opened, at).severity


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
        plain.text if plain.severity == "blind" else sentence([of_trouble(trouble) for trouble in troubles])
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


def _statement_of(incident: Incident, down: Collection[str]) -> Statement:
    """An incident as a statement; down also if the judge sees its family as down, as the screen's figures show."""
    lead = incident.lead
    page = incident.tier == "critical" and incident.family in UPSTREAM and not incident.segment
    trouble = Trouble(
        kind=incident.family,
        since=incident.onset,
        severity="down" if page or incident.family in down else "degraded",
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


def _publishers(feed: FeedState) -> str:
    return "no publisher is" if feed.publishers == 1 else f"none of its {feed.publishers} publishers is"
