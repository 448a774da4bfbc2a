"""The text of a notification: a title of one line, and a few lines below it; safe to show anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from voicetop.alerts.signals import Effect, Tier
from voicetop.formatting.numbers import counted, known
from voicetop.formatting.times import clock, span
from voicetop.notify.targets.base import Digest, IncidentChange
from voicetop.wire.text import safe_text

MOST_TITLE, MOST_LINE = 200, 400
MOST_DIGESTED = 20
RANK: dict[Tier, int] = {"info": 0, "warning": 1, "critical": 2}
_GLYPHS: dict[Tier, str] = {"critical": "■ CRITICAL", "warning": "▲ WARNING", "info": "● INFO"}


def title(effect: Effect) -> str:
    """What happened, in one line.

    >>> title(Effect("fired", "k", "i1", "critical", "errors", "errors.llm", (), 0.0, 0.0, "LLM errors 41 %"))
    '■ CRITICAL · LLM errors 41 %'
    """
    head = _GLYPHS[effect.tier]
    if effect.reason == "resolved":
        head = "● RESOLVED"
    elif effect.reason == "acknowledged":
        head = f"{head}, acknowledged by {effect.by}" if effect.by else f"{head}, acknowledged"
    elif effect.reason == "returned":
        head = f"{head}, unacknowledged by {effect.by}" if effect.by else f"{head}, unacknowledged"
    return safe_text(f"{head} · {effect.summary}", MOST_TITLE)


def body(effect: Effect) -> list[str]:
    """The lines below the title: blame, segment, since when, what to do."""
    where = " × ".join(value for _, value in effect.where) or "all calls"
    lines = [
        f"{effect.by}: {effect.note}" if effect.by and effect.note else effect.note,
        effect.blame,
        f"{where} · {_since(effect)} · {effect.incident_id}",
        f"runbook: {effect.runbook}" if effect.runbook and effect.reason != "resolved" else "",
        *effect.links,
    ]
    return [safe_text(line, MOST_LINE) for line in lines if line]


def in_short(message: Effect | IncidentChange | Digest) -> str:
    """A message in one line, for a log."""
    if isinstance(message, Effect):
        return safe_text(f"{message.incident_id} {message.reason} · {message.summary}", MOST_TITLE)
    return safe_text(
        message.title if isinstance(message, Digest) else f"{message.kind} {message.label}", MOST_TITLE
    )


def digest(incidents: Sequence[tuple[Effect, Effect]], at: float, still: int) -> Digest:
    """Sums up the incidents that fired and resolved in quiet hours ending at `at`, from (first, last) effect of each.

    `still` counts those that are still firing.
    """
    count = f"{counted(len(incidents), 'alert')} fired and resolved in quiet hours"
    more = f"; {still} still firing, sent separately"
    lines = [
        safe_text(
            f"{_GLYPHS[last.tier]} · {last.summary} · {_clock(first.onset)}, {span(last.at - first.onset)}",
            MOST_LINE,
        )
        for first, last in incidents[:MOST_DIGESTED]
    ]
    if len(incidents) > MOST_DIGESTED:
        lines.append(f"and {len(incidents) - MOST_DIGESTED} more")
    return Digest(f"digest-{at:.0f}", at, count + (more if still else ""), tuple(lines))


def _since(effect: Effect) -> str:
    """When it began or ended, and the times to detect, acknowledge and resolve."""
    if effect.reason == "resolved":
        by = f" by {effect.by}" if effect.by else ""
        acked_s = effect.to_acknowledge_s
        parts = [
            f"resolved {_clock(effect.at)}{by}, {span(effect.to_resolve_s)} after it began",
            _detected(effect),
            f"acknowledged {span(acked_s)} later" if known(acked_s) else "",
        ]
        return ", ".join(part for part in parts if part)
    if effect.reason == "acknowledged" and effect.fired_at:
        return f"acknowledged {_clock(effect.at)}, {span(effect.at - effect.fired_at)} after the alert"
    if effect.reason == "returned":
        return f"unacknowledged {_clock(effect.at)}, open for {span(effect.at - effect.onset)}"
    if effect.reason == "fired" and (detected := _detected(effect)):
        return f"began {_clock(effect.onset)}, {detected}"
    return f"since {_clock(effect.onset)} ({span(effect.at - effect.onset)})"


def _detected(effect: Effect) -> str:
    detect_s = effect.to_detect_s
    if not known(detect_s):
        return ""
    return f"detected {span(detect_s)} later" if detect_s >= 0.5 else "detected at once"


def _clock(at: float) -> str:
    return f"{clock(at)} UTC"
