"""The hub receives events from publishers, stamps them once, and fans them out to consoles.

publisher ─► access ─► validation ─► stamping ─► backlog ─┬─► one sender per console
                                                          ├─► the hub's own session: the state for late joiners
                                                          └─► recording
"""

from __future__ import annotations

from voicetop.hub.config import HubConfig, Token
from voicetop.hub.server import Hub

__all__ = ["Hub", "HubConfig", "Token"]
