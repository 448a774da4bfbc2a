"""How a client connects to a hub: the token in a header, TLS, and no proxy for a hub on this machine."""

from __future__ import annotations

import ssl
from typing import Any

from websockets.asyncio.client import connect

from voicetop.connection.address import is_local

OPEN_S, CLOSE_S = 10.0, 1.0
"""Seconds for the handshake, and for the goodbye."""


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception:
        return exc


def connect_to(url: str, token: str | None, tls: ssl.SSLContext | None, **options: Any) -> connect:
    """A connection to await or to enter; `options` are those of websockets. Raises `refusals.FAILURES`.

    Compression is off: it would cost a hub one compressor per console. A redirect is not followed, so that a token
    reaches only the address that a person gave.
    """
    return _Connect(
        url,
        additional_headers={"Authorization": f"Bearer {token}"} if token else None,
        proxy=None if is_local(url) else True,
        ssl=tls,
        compression=None,
        **{"open_timeout": OPEN_S, "close_timeout": CLOSE_S, **options},
    )
