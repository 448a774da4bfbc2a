"""Checks the URL, token and certificate for reaching a hub, before anything opens."""

from __future__ import annotations

import ipaddress
import ssl
from urllib.parse import SplitResult, urlsplit, urlunsplit

from voicetop.errors import UsageError

DEFAULT_URL = "ws://127.0.0.1:8377"
_WS_SCHEME = {"http": "ws", "https": "wss", "": "ws"}


def check_url(url: str) -> str:
    """Returns `url` unchanged. Raises UsageError that says what to type instead.

    >>> check_url("wss://hub.example.com/")
    'wss://hub.example.com/'
    """
    parts = _split(url)
    if parts.scheme not in ("ws", "wss"):
        raise UsageError(f"{url!r} is not a hub URL: {_suggestion(url, parts)}")
    if not parts.hostname:
        raise UsageError(f"{url!r} names no host: write it like {DEFAULT_URL}")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "a URL with a user or password would end up in logs: pass the token in VOICETOP_TOKEN"
        )
    if parts.fragment:
        raise UsageError(f"{url!r}: a websocket URL has no #{parts.fragment}")
    if any(char.isspace() or not char.isprintable() for char in url):
        raise UsageError(f"{url!r} contains spaces: write it like {DEFAULT_URL}")
    return url


def publish_url(url: str) -> str:
    """The address to publish to: `/publish` if the URL has no path. Raises UsageError as `check_url` does.

    >>> publish_url("ws://127.0.0.1:8377")
    'ws://127.0.0.1:8377/publish'
    """
    parts = urlsplit(check_url(url))
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") or "/publish"))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is not a URL ({error}): write it like {DEFAULT_URL}") from None
    return parts


def _suggestion(url: str, parts: SplitResult) -> str:
    """`localhost:8377` parses as a scheme: anything without `//` is treated as a host."""
    if "//" not in url:
        return f"did you mean ws://{url.lstrip('/')} ?" if url else f"write it like {DEFAULT_URL}"
    scheme = _WS_SCHEME.get(parts.scheme)
    if scheme is None:
        return f"it has to begin with ws:// or wss://, like {DEFAULT_URL}"
    return f"did you mean {scheme}://{url.partition('//')[2]} ?"


def check_token(token: str | None) -> str | None:
    """A token that fits in a header, None for none. Raises UsageError."""
    if not token:
        return None
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("the token (VOICETOP_TOKEN) contains spaces or other invalid characters")
    return token


def client_tls(url: str, cafile: str | None = None) -> ssl.SSLContext | None:
    """The TLS context for a wss hub; None for ws. Raises UsageError."""
    if not url.startswith("wss:"):
        if cafile:
            raise UsageError(f"--cafile is for wss://, but {url} isn't encrypted")
        return None
    try:
        return ssl.create_default_context(cafile=cafile)
    except FileNotFoundError:
        raise UsageError(f"no file {cafile}: --cafile takes PEM certificates") from None
    except (ssl.SSLError, OSError):
        raise UsageError(f"{cafile}: no PEM certificates in it") from None


def is_local(url: str) -> bool:
    """Whether `url` stays on this machine, so that no proxy is used."""
    return is_loopback(urlsplit(url).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. A name other than localhost may resolve to anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
