"""Resolves hubs: URLs and feed names from the command line and the config.

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
    """One hub: its name, URL and token ("" for none)."""

    name: str
    url: str
    token: str

    def source(self, cafile: str | None = None) -> Callable[[], Source]:
        """A factory that opens the feed on its own thread; checks its settings now. Raises UsageError."""
        check_url(self.url)
        token = check_token(self.token)
        tls = client_tls(self.url, cafile)

        def opened() -> Source:
            from voicetop.sources.socket import SocketSource

            return SocketSource(self.url, token, ssl=tls)

        return opened


def hubs_of(words: Sequence[str], settings: Config) -> list[HubChoice]:
    """The hubs for the typed words. Raises UsageError, ConfigError."""
    for word in words:
        _check_word(word, settings)
    selected = list(words) or _default(settings)
    if len(set(selected)) < len(selected):
        raise UsageError(f"{max(selected, key=selected.count)} is named twice")
    hubs = [_hub(word, settings) for word in selected]
    return hubs if len(hubs) == 1 else [hub._replace(name=_short(hub)) for hub in hubs]


def _default(settings: Config) -> list[str]:
    if url := os.environ.get("VOICETOP_URL"):
        return [url]
    if settings.url == DEFAULT_URL and settings.feeds:
        return list(settings.feeds)
    return [settings.url]


def _hub(word: str, settings: Config) -> HubChoice:
    """A feed's own token overrides the environment's, which overrides the general one."""
    from_env = os.environ.get("VOICETOP_TOKEN")
    feed = settings.feeds.get(word)
    if feed is not None:
        return HubChoice(word, feed.url, feed.token() or from_env or settings.token())
    return HubChoice(word, word, from_env or settings.token())


def _short(hub: HubChoice) -> str:
    """The host of a URL; names stay."""
    return urlsplit(hub.url).netloc if hub.name == hub.url else hub.name


def _check_word(word: str, settings: Config) -> None:
    """Reject commands, files and unknown names in place of a hub. Raises UsageError."""
    from voicetop.cli import VERBS

    if word in settings.feeds:
        return
    if word in VERBS:
        raise UsageError(f"put the command first: voicetop {word} ...")
    if "://" not in word and os.path.isfile(word):  # noqa: PTH113 - a word, not yet a path
        raise UsageError(f"{word} is a file, not a hub: try voicetop replay {word}")
    if "://" not in word and ":" not in word and settings.feeds:
        raise UsageError(f"{word!r} is neither a URL nor a feed in the config{nearest(word, settings.feeds)}")
