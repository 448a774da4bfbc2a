"""top for voice AI agents. The public names load when they are first used (PEP 562)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from voicetop.publish import AsyncPublisher as AsyncPublisher
    from voicetop.publish import Publisher as Publisher

_HOMES = {"Publisher": "voicetop.publish", "AsyncPublisher": "voicetop.publish"}
__all__ = ["AsyncPublisher", "Publisher", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module  # noqa: PLC0415 - nothing is imported until it is asked for

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'voicetop' has no attribute {name!r}")
