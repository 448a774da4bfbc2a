"""A hub's configuration, and the checks that refuse an unsafe or impossible start in one line."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from msgspec import Struct

from voicetop.connection.address import is_loopback
from voicetop.errors import UsageError

DEFAULT_PORT = 8377
SHORTEST_SECRET = 16

Role: TypeAlias = Literal["publisher", "viewer", "operator", "watcher"]
ROLES: tuple[Role, ...] = get_args(Role)


class Token(Struct, frozen=True):
    """A secret that grants a role."""

    role: Role
    secret: str

    def __repr__(self) -> str:
        return f"Token(role={self.role!r}, secret=…)"


class HubConfig(Struct, frozen=True, kw_only=True):
    """Sizes in bytes, times in seconds. Port 0 takes a free one.

    `record` is a file, or a folder of files of `record_shard_s` each, where the oldest are deleted (0: none).
    The backlog holds what a console can resume from after losing its connection.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    tokens: tuple[Token, ...] = ()
    cert: str = ""
    key: str = ""
    transcripts_for_viewers: bool = True
    record: str = ""
    record_shard_s: float = 3600.0
    record_keep_s: float = 0.0
    record_keep_bytes: int = 0
    deployment: str = ""
    capacity: int = 0
    epoch: str = ""
    backlog_bytes: int = 64 * 1024 * 1024
    backlog_events: int = 500_000
    heartbeat_s: float = 0.25
    coalesce_s: float = 0.02
    hello_s: float = 5.0
    welcome_s: float = 60.0
    report_s: float = 60.0
    max_consoles: int = 200
    max_publishers: int = 5_000


def offered_roles(config: HubConfig) -> tuple[Role, ...]:
    """The roles that consoles are offered when there are no tokens: all, since only this machine can reach the hub.

    If viewers get no transcripts, only viewing is offered, since without a token anybody may be a viewer.
    """
    return ROLES if config.transcripts_for_viewers else ("publisher", "viewer")


def check_bind(config: HubConfig) -> None:
    """Refuse to be reachable from other machines without encryption and tokens. Raises UsageError."""
    if is_loopback(config.host):
        return
    missing = [] if config.cert else ["--cert and --key"]
    missing += [] if config.tokens else ["--token-file"]
    if missing:
        raise UsageError(
            f"other machines can reach {config.host}: add {' and '.join(missing)}, "
            "or bind to 127.0.0.1 and connect consoles with 'ssh -L'"
        )


def server_tls(config: HubConfig) -> ssl.SSLContext | None:
    """The TLS context for --cert and --key, None without them. Raises UsageError."""
    if not config.cert and not config.key:
        return None
    if not config.cert:
        raise UsageError("--key needs --cert: TLS takes both")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.cert, config.key or None)
    except FileNotFoundError:
        gone = next(name for name in (config.cert, config.key) if name and not Path(name).is_file())
        raise UsageError(f"no file {gone}: --cert and --key take PEM files") from None
    except (ssl.SSLError, OSError) as error:
        raise UsageError(f"{config.cert}: its certificate and key don't match ({_short(error)})") from None
    return context


def _short(error: OSError) -> str:
    return (getattr(error, "reason", "") or error.strerror or str(error)).lower().replace("_", " ")


def read_tokens(path: str) -> tuple[Token, ...]:
    """The tokens of a file with lines `role token`; `#` begins a comment. Raises UsageError with file and line."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"{path}: cannot read the tokens ({why})") from None
    return parse_tokens(text, path)


def parse_tokens(text: str, where: str) -> tuple[Token, ...]:
    """The tokens in `text`, one `role token` per line. Raises UsageError with `where` and line."""
    tokens = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if words:
            tokens.append(_token(words, f"{where}, line {number}"))
    if not tokens:
        raise UsageError(f"{where}: contains no tokens; write lines like '{'|'.join(ROLES)} TOKEN'")
    return tuple(tokens)


def _token(words: list[str], where: str) -> Token:
    if len(words) != 2:
        raise UsageError(f"{where}: {len(words)} words instead of two, a role and a token")
    name, secret = words
    role = next((role for role in ROLES if role == name), None)
    if role is None:
        raise UsageError(f"{where}: unknown role {name!r}; valid roles: {', '.join(ROLES)}")
    if len(secret) < SHORTEST_SECRET or not secret.isascii() or not secret.isprintable():
        raise UsageError(
            f"{where}: a token needs {SHORTEST_SECRET} or more ASCII characters; create one with 'openssl rand -hex 24'"
        )
    return Token(role, secret)
