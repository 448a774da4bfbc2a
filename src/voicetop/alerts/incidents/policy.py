"""Default hold times by family: how long a signal must last before it fires, and how long it keeps firing afterwards.

Configured `Policies` (`rules.py`) take precedence. Latency must last for a minute, since slow turns come in clusters;
detectors that count events have weighed them already and fire at once.
"""

from __future__ import annotations

from typing import TypeAlias

from voicetop.alerts.changes.streams import STAGES
from voicetop.alerts.signals import Family
from voicetop.engine.config import Policy

RANK: dict[str, int] = {"info": 0, "warning": 1, "critical": 2}

UPSTREAM: frozenset[Family] = frozenset({"errors", "waiting", "traffic"})
"""Families whose critical incidents are outages; their effects on callers appear in `DOWNSTREAM` later."""
DOWNSTREAM: frozenset[Family] = frozenset({"success", "sentiment", "abandonment"})
EVENTS: frozenset[Family] = frozenset({"compliance", "security", "feed"})
"""Families unaffected by a silent feed: discrete events, or the feed itself."""
PER_KIND: frozenset[Family] = frozenset({"compliance", "security"})
"""Families with one incident per kind of event: a second kind pages although the first is open."""
AFTERMATH_S = 1800.0
"""Outcome windows are 30 minutes: they contain an outage this long after its end."""
WIDEN_S = 60.0
"""How long a wider incident must last before it supersedes the narrower one detected first."""
FLAP_S = 1800.0
"""An incident that recurs within this time is flapping: each recurrence doubles its `keep_s`."""
MAX_KEEP_S = 6 * 3600.0


Policies: TypeAlias = dict[str, Policy]
"""By rule or by family; the rule takes precedence."""

DEFAULT_POLICIES: Policies = {
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
    # the latency detectors and the verdict apply their own hold time
    "preset.latency": Policy(),
    "preset.local_latency": Policy(),
    **{f"latency.{stage or metric}": Policy() for metric, stage in STAGES.items()},
}


def policy_of(policies: Policies, rule: str, family: str) -> Policy:
    """The policy of a rule of a family."""
    policy = (
        policies.get(rule)
        or policies.get(family)
        or DEFAULT_POLICIES.get(rule)
        or DEFAULT_POLICIES.get(family)
    )
    return policy if policy is not None else Policy()
