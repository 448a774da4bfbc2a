"""Access control before the websocket opens: origin, path, token. Also answers `/healthz`.

The response header `Voicetop-Roles` lists the roles that a client may take; a console then asks for the highest.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from voicetop.hub.config import ROLES, Role, Token
from voicetop.wire.frames import ROLES_HEADER

PATHS = ("/", "/publish", "/healthz")
_IMPLIED: dict[Role, tuple[Role, ...]] = {
    "publisher": ("publisher",),
    "viewer": ("viewer",),
    "watcher": ("watcher", "viewer"),
    "operator": ("operator", "viewer"),
}


class Grant(Struct, frozen=True):
    """The roles that a client may take. `path` is the path it connected to."""

    roles: frozenset[Role] = frozenset(ROLES)
    path: str = "/"

    @property
    def only_publishes(self) -> bool:
        return self.path == "/publish" or self.roles == {"publisher"}


class Client(ServerConnection):
    """A connection that remembers its grant, and for which sources it speaks."""

    grant = Grant()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.sources: set[str] = set()


class AccessControl:
    """Refuses a request, or stores the grant on its connection."""

    def __init__(
        self,
        tokens: tuple[Token, ...],
        health: Callable[[], dict[str, object]],
        *,
        offered: tuple[Role, ...] = ROLES,
    ) -> None:
        self._tokens = [(token.role, token.secret.encode()) for token in tokens]
        self._health = health
        self._offered = offered
        """The roles that a hub without tokens offers; it can't tell clients apart, so it refuses no requested role."""

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        """For websockets' `process_request`: None accepts the client."""
        assert isinstance(connection, Client)
        path = request.path.partition("?")[0]
        if "Origin" in request.headers:
            return connection.respond(HTTPStatus.FORBIDDEN, "web pages may not connect to a voicetop hub\n")
        if path == "/healthz":
            return self._health_response(connection)
        if path not in PATHS:
            return connection.respond(
                HTTPStatus.NOT_FOUND, f"no such path; a voicetop hub has {', '.join(PATHS)}\n"
            )
        roles = self._roles(request.headers.get("Authorization", ""))
        if not roles:
            refusal = connection.respond(HTTPStatus.UNAUTHORIZED, "this hub requires a valid token\n")
            refusal.headers["WWW-Authenticate"] = "Bearer"
            return refusal
        if path == "/publish" and "publisher" not in roles:
            return connection.respond(HTTPStatus.FORBIDDEN, "this token is not a publisher's\n")
        connection.grant = Grant(frozenset(roles), path)
        return None

    def add_roles_header(self, connection: ServerConnection, request: Request, response: Response) -> None:  # noqa: ARG002
        """For websockets' `process_response`: list the client's roles."""
        assert isinstance(connection, Client)
        roles = [
            role
            for role in ROLES
            if role in connection.grant.roles and (self._tokens or role in self._offered)
        ]
        response.headers[ROLES_HEADER] = ", ".join(roles)

    def _health_response(self, connection: Client) -> Response:
        health = self._health()
        ok = health["status"] == "ok"
        response = connection.respond(HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE, "")
        response.body = msgspec.json.encode(health) + b"\n"
        del response.headers["Content-Length"], response.headers["Content-Type"]
        response.headers["Content-Length"] = str(len(response.body))
        response.headers["Content-Type"] = "application/json"
        return response

    def _roles(self, authorization: str) -> set[Role]:
        """The roles of a token. Compares every known token, so that timing doesn't reveal which one was close."""
        if not self._tokens:
            return set(ROLES)
        scheme, _, credential = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return set()
        secret = credential.strip().encode("utf-8", "surrogateescape")
        matching = [role for role, known in self._tokens if hmac.compare_digest(known, secret)]
        return {implied for role in matching for implied in _IMPLIED[role]}
