"""What is said when a publisher ends with events that no hub has confirmed: one line, for people and their logs."""

from __future__ import annotations

import logging

log = logging.getLogger("voicetop.publish")


def no_answer(limit_s: float) -> str:
    """Why a publisher has given up."""
    return f"no answer within {limit_s:g} s"


def warn_of_undelivered(count: int, url: str, why: str) -> None:
    """Log how many events are lost, where they should have gone, why, and what to do. `why` may name the URL itself."""
    events = "1 event was" if count == 1 else f"{count:,} events were"
    where = "" if url in why else f" to {url}"
    log.warning("voicetop: %s not delivered%s: %s%s", events, where, why or "interrupted", _remedy(why, url))


def _remedy(why: str, url: str) -> str:
    """A reason with a colon says itself what to do, and so does a refusal, which names the URL."""
    if not why or url in why or ": " in why:
        return ""
    if "within" in why:
        return "; close(timeout=...) waits longer"
    return "; start a hub there with `voicetop serve`, or publish to the address of yours"
