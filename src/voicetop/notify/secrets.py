"""Fetches secrets from where the config says, and keeps them out of logs and error messages.

`env:NAME` is an environment variable, `keyring:SERVICE/NAME` an entry of the system's keyring (the extra `keyring`).
Every error text of a pager or library passes through `scrub` before it is shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from voicetop.errors import NotifyError

HIDDEN = "***"
SHORTEST, TOKEN = 4, 12
"""Hiding shorter secrets would hide ordinary words; a URL part of at least `TOKEN` characters may be a token."""


class SecretStore:
    """Fetches secrets, and remembers them in order to hide them."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._env = env
        self._known: set[str] = set()

    def __repr__(self) -> str:
        return f"SecretStore({len(self._known)} secrets)"

    def get(self, reference: str) -> str:
        """The secret that `reference` names. Raises NotifyError, which says where it should be."""
        kind, _, name = reference.partition(":")
        value = (self._variable(name) if kind == "env" else _keyring(name)).strip()
        self.learn(value)
        return value

    def learn(self, value: str) -> None:
        """Hide `value` from now on, plain and URL-quoted; for a URL also its password and tokens."""
        for part in {value, *_secrets_in(value)}:
            if len(part) >= SHORTEST:
                self._known |= {part, quote(part, safe="")}

    def scrub(self, text: str) -> str:
        """`text` with every known secret replaced."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text

    def _variable(self, name: str) -> str:
        value = self._env.get(name, "")
        if not value.strip():
            raise NotifyError(f"{name} isn't set: put the secret into this environment variable")
        return value


def _secrets_in(url: str) -> set[str]:
    """The credentials in a URL: its password, and every part long enough to be a token.

    >>> sorted(_secrets_in("slack://bot:pw123@host/T0KENT0KENT0KEN/ops"))
    ['T0KENT0KENT0KEN', 'pw123']
    """
    if "://" not in url:
        return set()
    try:
        parts = urlsplit(url)
    except ValueError:
        return set()
    words = re.split(r"[/?&=:@]", f"{parts.netloc}/{parts.path}?{parts.query}")
    return {unquote(parts.password or ""), *(word for word in words if len(word) >= TOKEN)}


def _keyring(entry: str) -> str:
    service, _, name = entry.partition("/")
    try:
        import keyring  # noqa: PLC0415 - an optional extra
        from keyring.errors import KeyringError  # noqa: PLC0415
    except ImportError:
        raise NotifyError(
            f"keyring:{entry} needs the keyring library: pip install 'voicetop[keyring]', or use env:NAME"
        ) from None
    try:
        value: str | None = keyring.get_password(service, name)
    except (KeyringError, RuntimeError) as error:
        raise NotifyError(f"keyring:{entry} cannot be read ({error}): unlock it, or use env:NAME") from None
    if not value:
        raise NotifyError(f"the keyring has no {service}/{name}: keyring set {service} {name}")
    return value
