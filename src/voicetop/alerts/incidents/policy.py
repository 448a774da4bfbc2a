"""How patient each family is: how long a signal has to last before it fires, how long it goes on after its last sign.

`Policies` come with the rules (`rules.py`); these are what holds where nobody says otherwise. A latency has to last for
a minute, since slow turns come in clusters; whatever counts events has weighed them already and fires at once.
"""

from __future__ import annotations

from typing import TypeAlias

from voicetop.alerts.changes.streams import STAGES
from voicetop.alerts.signals import Family
from voicetop.engine.config import Policy

RANK: dict[str, int] = {"info": 0, "warning": 1, "critical": 2}

UPSTREAM: frozenset[Family] = frozenset({"errors", "waiting", "traffic"})
"""Families whose critical incidents are an outage; what they do to callers shows in `DOWNSTREAM` later."""
DOWNSTREAM: frozenset[Family] = frozenset({"success", "sentiment", "abandonment"})
EVENTS: frozenset[Family] = frozenset({"compliance", "security", "feed"})
"""Families that a silent feed doesn't make doubtful: they speak of what happened, or of the feed itself."""
ONE_BY_ONE: frozenset[Family] = frozenset({"compliance", "security"})
"""Families in which each kind of event is an incident by itself: a second kind pages though the first is open."""
AFTERMATH_S = 1800.0
"""Outcomes are looked at over 30 minutes: for so long after an outage they still speak of it."""
WIDEN_S = 60.0
"""How long "everybody" has to hold before it is believed over the segment that was found first."""
FLAP_S = 1800.0
"""What comes back within this time is the same thing again: each time it keeps on firing for twice as long."""
MOST_KEEP_S = 6 * 3600.0


Policies: TypeAlias = dict[str, Policy]
"""By rule or by family; a rule's own goes first."""

USUAL: Policies = {
    "latency": Policy(for_s=60.0),
    "waiting": Policy(keep_s=120.0),
    "success": Policy(keep_s=900.0),
    "escalation": Policy(keep_s=900.0),
    "abandonment": Policy(keep_s=900.0),
    "cost": Policy(keep_s=900.0),
    "sentiment": Policy(keep_s=900.0),
    "frustration": Policy(keep_s=900.0),
    "compliance": Policy(keep_s=3600.0),
    "security": Policy(keep_s=3600.0),
    "feed": Policy(keep_s=10.0),
    "intent": Policy(keep_s=6 * 3600.0),
    # the detectors of latency have waited themselves
    **{f"latency.{stage or metric}": Policy() for metric, stage in STAGES.items()},
}


def policy_of(policies: Policies, rule: str, family: str) -> Policy:
    """What holds for a rule of a family."""
    found = policies.get(rule) or policies.get(family) or USUAL.get(rule) or USUAL.get(family)
    return found if found is not None else Policy()
