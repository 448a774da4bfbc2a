"""Key bindings: the registry's defaults, overridden by `[keys]` in the config.

Bindings, footer, help and palette all look up an action's keys here. A key bound in the config is removed from default
bindings on the same screens; binding it twice in the config is a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from voicetop.config import KeyEntry
from voicetop.errors import ConfigError, nearest
from voicetop.ui.actions.registry import ACTIONS, BY_ID, WRITTEN, Action, Place, available

MODIFIERS = ("ctrl", "alt", "shift", "super", "meta", "hyper")
ALIASES = {"esc": "escape", "pgdn": "pagedown", "pgup": "pageup", "return": "enter", "del": "delete"}


class Keymap:
    """Key bindings. `unbound` lists the actions that lost all their keys to the config."""

    def __init__(self, keys: Mapping[str, str] | None = None, unbound: tuple[str, ...] = ()) -> None:
        self._keys = dict(keys or {})
        self.unbound = unbound

    def keys(self, action_id: str) -> str:
        """The keys of an action, comma separated, by Textual's names; empty if it has none."""
        return self._keys.get(action_id, BY_ID[action_id].keys)

    def actions(self) -> Iterator[Action]:
        """The registry with these keys."""
        for action in ACTIONS:
            yield action._replace(keys=self.keys(action.id))

    def action_for(self, key: str, place: Place) -> str:
        """The id of the action bound to a key there; empty if there is none."""
        return next((action.id for action in self.available(place) if key in action.keys.split(",")), "")

    def available(self, place: Place) -> list[Action]:
        """The actions available there, in the registry's order, with these keys."""
        return [action._replace(keys=self.keys(action.id)) for action in available(place)]


USUAL = Keymap()


def examine(entries: Iterable[KeyEntry]) -> tuple[Keymap, list[ConfigError]]:
    """The valid part of a keymap, and every mistake in it."""
    configured: dict[str, list[str]] = {}
    mistakes: list[ConfigError] = []
    entry_of: dict[str, KeyEntry] = {}
    for entry in entries:
        if entry.action not in BY_ID:
            mistakes.append(_unknown_action(entry))
            continue
        keys, wrong = _keys_of(entry)
        mistakes += wrong
        for other, other_keys in configured.items():
            shared = sorted(set(keys) & set(other_keys)) if _overlap(entry.action, other) else []
            mistakes += [_bound_twice(entry, key, entry_of[other]) for key in shared]
        configured[entry.action], entry_of[entry.action] = keys, entry
    return _merged(configured), mistakes


def _merged(configured: dict[str, list[str]]) -> Keymap:
    """Each action's configured keys, else its default keys without those bound to other actions on the same screens."""
    result = {action: ",".join(keys) for action, keys in configured.items()}
    unbound = []
    for action in ACTIONS:
        if action.id in configured:
            continue
        claimed = {key for other, keys in configured.items() if _overlap(action.id, other) for key in keys}
        remaining = [key for key in action.keys.split(",") if key not in claimed]
        result[action.id] = ",".join(remaining)
        if not remaining:
            unbound.append(action.id)
    return Keymap(result, tuple(unbound))


def _overlap(action: str, other: str) -> bool:
    """Whether both are available on one screen."""
    return bool(set(BY_ID[action].places) & set(BY_ID[other].places))


def _keys_of(entry: KeyEntry) -> tuple[list[str], list[ConfigError]]:
    keys, mistakes = [], []
    for word in entry.keys.split(","):
        name = key_name(word.strip())
        if name:
            keys.append(name)
        elif word.strip() or entry.keys.strip():
            mistakes.append(_unknown_key(entry, word.strip()))
    return keys, mistakes


def key_name(word: str) -> str:
    """Textual's name of a key; empty if there is no such key.

    >>> key_name("?"), key_name("Ctrl+T"), key_name("PgDn"), key_name("pgdwn")
    ('question_mark', 'ctrl+t', 'pagedown', '')
    """
    if len(word) == 1:
        return _base(word)
    head, last = (word[:-2], "+") if word.endswith("++") else word.rpartition("+")[::2]
    before = head.split("+") if head else []
    modifiers = [modifier.lower() for modifier in before]
    if any(modifier not in MODIFIERS for modifier in modifiers) or not last:
        return ""
    base = _base(last.lower() if modifiers and len(last) == 1 else last)
    return "+".join([*modifiers, base]) if base else ""


def _base(word: str) -> str:
    from voicetop.ui.terminal.keys import key_of_character  # noqa: PLC0415 - only where a config names keys

    if len(word) == 1:
        return key_of_character(word) if word.isprintable() and not word.isspace() else ""
    plain = ALIASES.get(word.lower(), word.lower())
    return plain if plain in _names() else ""


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """The names of all keys that are not a single character."""
    from voicetop.ui.terminal.keys import named_keys  # noqa: PLC0415 - only where a config names keys

    return frozenset({*named_keys(), *WRITTEN, "space", "comma"})


def _unknown_action(entry: KeyEntry) -> ConfigError:
    return ConfigError(f"{entry.where}: 'keys.{entry.action}' is not an action{nearest(entry.action, BY_ID)}")


def _unknown_key(entry: KeyEntry, word: str) -> ConfigError:
    written = "; write keys like w, W, f2, ctrl+t, pagedown, comma"
    hint = nearest(word.lower(), sorted(_names()), written)
    return ConfigError(f"{entry.where}: 'keys.{entry.action}': {word!r} is not a key{hint}")


def _bound_twice(entry: KeyEntry, key: str, other: KeyEntry) -> ConfigError:
    shown = WRITTEN.get(key, key)
    return ConfigError(
        f"{entry.where}: 'keys.{entry.action}': {shown!r} is already bound to {other.action!r} in {other.where}"
    )
