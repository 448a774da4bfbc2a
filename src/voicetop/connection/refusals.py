"""What went wrong with a connection to a hub, as a message, and whether another try may help.

FeedLost means that it may, FeedRefused that it won't: the token, role, certificate or address is wrong. A FeedRefused
names the URL. Text from the other end is made safe to print.
"""

from __future__ import annotations

import ssl
from urllib.parse import urljoin, urlsplit

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
_OF_PROXIES = (502, 503, 504)
_REDIRECTS = (300, 301, 302, 303, 307, 308)
_WEBSOCKET = {"http": "ws", "https": "wss"}


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
        return _handshake_failure(error, url, has_answered=has_answered)
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


def _handshake_failure(
    error: InvalidURI | InvalidHandshake, url: str, *, has_answered: bool
) -> FeedLost | FeedRefused:
    """A server with TLS that is spoken to in plain closes the connection, or answers in HTTP/1.0."""
    is_plain = url.startswith("ws:")
    if isinstance(error.__cause__, EOFError):
        hint = f": if it has TLS, use {_encrypted(url)}" if is_plain and not has_answered else ""
        return FeedLost(f"it closed the connection before its welcome{hint}")
    if is_plain and "HTTP/1.0 400" in str(error.__cause__):
        return _needs_tls(url)
    return FeedRefused(f"{url} is not a voicetop hub: {_describe(error)}")


def _encrypted(url: str) -> str:
    return f"wss:{url.partition(':')[2]}"


def _needs_tls(url: str) -> FeedRefused:
    return FeedRefused(f"{url} is encrypted: use {_encrypted(url)}")


def _status_failure(error: InvalidStatus, url: str, *, has_token: bool) -> FeedLost | FeedRefused:
    status = error.response.status_code
    if status in _TEMPORARY:
        hint = ": a proxy answers, but no hub behind it" if status in _OF_PROXIES else ""
        return FeedLost(f"HTTP status {status}{hint}")
    if status in _REDIRECTS and "Location" in error.response.headers:
        return _redirected(url, error.response.headers.get_all("Location")[0])
    if status == 400 and url.startswith("ws:") and b"HTTPS" in (error.response.body or b""):
        return _needs_tls(url)
    if status not in (401, 403, 404):
        return FeedRefused(f"{url} is not a voicetop hub: HTTP status {status}")
    plain = error.response.headers.get("Content-Type", "").startswith("text/plain")
    text = safe_label((error.response.body or b"").decode("utf-8", "replace").strip()) if plain else ""
    hint = " (set VOICETOP_TOKEN)" if status == 401 and not has_token else ""
    return FeedRefused(f"{url} refused: {text or f'HTTP status {status}'}{hint}")


def _redirected(url: str, location: str) -> FeedRefused:
    """Redirects are not followed: what they lead to may be anything, and is told instead."""
    try:
        target = urlsplit(urljoin(url, location))
    except ValueError:
        return FeedRefused(f"{url} is not a voicetop hub: it redirects to {safe_label(location)!r}")
    scheme = _WEBSOCKET.get(target.scheme, target.scheme)
    where = safe_label(target._replace(scheme=scheme).geturl())
    if url.startswith("wss:") and scheme == "ws":
        return FeedRefused(f"{url} redirects to {where}, which isn't encrypted: is the address right?")
    return FeedRefused(f"{url} redirects: use {where}")


def _tls_failure(error: ssl.SSLError, url: str) -> FeedLost | FeedRefused:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or error.reason
        return FeedRefused(
            f"{url}: its certificate isn't trusted ({why}); add its CA with --cafile or SSL_CERT_FILE"
        )
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return FeedRefused(f"{url} isn't encrypted: the URL begins with ws://")
    return FeedLost((error.reason or str(error)).lower().replace("_", " "))


def _describe(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, OSError) and error.strerror:
        return safe_label(error.strerror.lower())
    return safe_label(next(iter(str(error).splitlines()), "")) or BROKEN
