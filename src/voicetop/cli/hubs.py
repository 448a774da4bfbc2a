"""Which hubs a person means: URLs and names from the config, as they were typed.

voicetop                       VOICETOP_URL, else `url` of the config, else all its [feeds], else this machine
voicetop production staging    two of [feeds]
voicetop ws://one wss://two    two that have no name
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from voicetop.connection.address import DEFAULT_URL, check_token, check_url, client_tls
from voicetop.errors import UsageError, nearest
from voicetop.sources import Source

if TYPE_CHECKING:
    from voicetop.config import Config


class HubChoice(NamedTuple):
    """One hub: what a person calls it, where it is, and the token for it (empty: none)."""

    name: str
    url: str
    token: str

    def source(self, cafile: str | None = None) -> Callable[[], Source]:
        """What opens its feed on the feed's thread; what can be wrong is found out here, before. Raises UsageError."""
        check_url(self.url)
        token = check_token(self.token)
        tls = client_tls(self.url, cafile)

        def opened() -> Source:
            from voicetop.sources.socket import SocketSource

            return SocketSource(self.url, token, ssl=tls)

        return opened


def chosen(words: Sequence[str], settings: Config) -> list[HubChoice]:
    """The hubs that the words mean. Raises UsageError, ConfigError."""
    for word in words:
        _check_word(word, settings)
    wanted = list(words) or _usual(settings)
    if len(set(wanted)) < len(wanted):
        raise UsageError(f"{max(wanted, key=wanted.count)} is named twice")
    hubs = [_hub(word, settings) for word in wanted]
    return hubs if len(hubs) == 1 else [hub._replace(name=_short(hub)) for hub in hubs]


def _usual(settings: Config) -> list[str]:
    told = os.environ.get("VOICETOP_URL")
    if told:
        return [told]
    if settings.url == DEFAULT_URL and settings.feeds:
        return list(settings.feeds)
    return [settings.url]


def _hub(word: str, settings: Config) -> HubChoice:
    """A feed's own token goes before the one of the environment, which goes before the general one."""
    told = os.environ.get("VOICETOP_TOKEN")
    feed = settings.feeds.get(word)
    if feed is not None:
        return HubChoice(word, feed.url, feed.token() or told or settings.token())
    return HubChoice(word, word, told or settings.token())


def _short(hub: HubChoice) -> str:
    """A URL without what is the same for all."""
    return urlsplit(hub.url).netloc if hub.name == hub.url else hub.name


def _check_word(word: str, settings: Config) -> None:
    """Where a hub's URL belongs, people also type a verb or a file. Raises UsageError."""
    from voicetop.cli import VERBS

    if word in settings.feeds:
        return
    if word in VERBS:
        raise UsageError(f"put the command first: voicetop {word} ...")
    if "://" not in word and os.path.isfile(word):  # noqa: PTH113 - a word, not yet a path
        raise UsageError(f"{word} is a file, not a hub: try voicetop replay {word}")
    if "://" not in word and ":" not in word and settings.feeds:
        raise UsageError(f"{word!r} is neither a URL nor a feed in the config{nearest(word, settings.feeds)}")
