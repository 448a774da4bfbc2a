"""What went wrong with a connection to a hub, as a message, and whether another try may help.

FeedLost means that it may, FeedRefused that it won't: the token, role, certificate or address is wrong. A FeedRefused
names the URL. Text from the other end is made safe to print.
"""

from __future__ import annotations

import ssl

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import CloseCode

from voicetop.errors import FeedLost, FeedRefused
from voicetop.wire.text import safe_label

FAILURES = (OSError, EOFError, WebSocketException)
"""Everything that connecting, sending and receiving raise."""

BROKEN = "the connection broke"
_TEMPORARY = {408, 425, 429, *range(500, 600)}
"""HTTP statuses of a gateway whose hub is away; with any other, trying again is pointless."""


def failure_of(
    error: BaseException, url: str, *, has_token: bool, has_answered: bool = False
) -> FeedLost | FeedRefused:
    """What one of FAILURES means. `has_answered`: a hub has answered at this URL before."""
    if isinstance(error, ConnectionClosed):
        closed = error.rcvd
        return closed_failure(url, closed.code if closed else None, closed.reason if closed else "")
    if isinstance(error, InvalidStatus):
        return _status_failure(error, url, has_token=has_token)
    if isinstance(error, InvalidURI | InvalidHandshake):
        if isinstance(error.__cause__, EOFError):
            return FeedLost("it closed the connection before its welcome")
        return FeedRefused(f"{url} is not a voicetop hub: {_describe(error)}")
    if isinstance(error, ssl.SSLError):
        return _tls_failure(error, url)
    if isinstance(error, ConnectionResetError) and url.startswith("wss:") and not has_answered:
        return FeedLost("the TLS handshake failed: should the URL be ws://?")
    return FeedLost(_describe(error))


def closed_failure(url: str, code: int | None, reason: str | None) -> FeedLost | FeedRefused:
    """What a close frame means; `code` is None if there was none."""
    if code is None or code == CloseCode.ABNORMAL_CLOSURE:
        return FeedLost(BROKEN)
    text = safe_label(reason or "") or f"closed with code {code}"
    return FeedRefused(f"{url} refused: {text}") if code == CloseCode.POLICY_VIOLATION else FeedLost(text)


def _status_failure(error: InvalidStatus, url: str, *, has_token: bool) -> FeedLost | FeedRefused:
    status = error.response.status_code
    if status in _TEMPORARY:
        return FeedLost(f"HTTP status {status}")
    if status not in (401, 403, 404):
        return FeedRefused(f"{url} is not a voicetop hub: HTTP status {status}")
    plain = error.response.headers.get("Content-Type", "").startswith("text/plain")
    text = safe_label((error.response.body or b"").decode("utf-8", "replace").strip()) if plain else ""
    hint = " (set VOICETOP_TOKEN)" if status == 401 and not has_token else ""
    return FeedRefused(f"{url} refused: {text or f'HTTP status {status}'}{hint}")


def _tls_failure(error: ssl.SSLError, url: str) -> FeedLost | FeedRefused:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or error.reason
        return FeedRefused(f"{url}: its certificate isn't trusted ({why}); add its CA with --cafile")
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return FeedRefused(f"{url} isn't encrypted: the URL begins with ws://")
    return FeedLost((error.reason or str(error)).lower().replace("_", " "))


def _describe(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, OSError) and error.strerror:
        return safe_label(error.strerror.lower())
    return safe_label(next(iter(str(error).splitlines()), "")) or BROKEN
