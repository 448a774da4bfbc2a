"""A person's keys: the registry's, and what `[keys]` in the config says in their place.

Bindings, footer, help and palette all ask here which keys an action has. A key that a person gives to an action is
taken from whatever had it by default on the same screens; two wishes for one key are a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from voicetop.config import KeyEntry
from voicetop.errors import ConfigError, nearest
from voicetop.ui.actions.registry import ACTIONS, BY_ID, WRITTEN, Action, Place, available

MODIFIERS = ("ctrl", "alt", "shift", "super", "meta", "hyper")
WORDS = {"esc": "escape", "pgdn": "pagedown", "pgup": "pageup", "return": "enter", "del": "delete"}


class Keymap:
    """Which keys do what. `taken` tells what a person's own keys have left without any."""

    def __init__(self, keys: Mapping[str, str] | None = None, taken: tuple[str, ...] = ()) -> None:
        self._keys = dict(keys or {})
        self.taken = taken

    def keys(self, action_id: str) -> str:
        """The keys of an action, comma separated, by Textual's names; empty where it has none."""
        return self._keys.get(action_id, BY_ID[action_id].keys)

    def actions(self) -> Iterator[Action]:
        """The registry with these keys."""
        for action in ACTIONS:
            yield action._replace(keys=self.keys(action.id))

    def action_for(self, key: str, place: Place) -> str:
        """The id of the action that a key runs there; empty where it runs none."""
        return next((action.id for action in self.available(place) if key in action.keys.split(",")), "")

    def available(self, place: Place) -> list[Action]:
        """What can be done there, in the registry's order, with these keys."""
        return [action._replace(keys=self.keys(action.id)) for action in available(place)]


USUAL = Keymap()


def keymap_of(entries: Iterable[KeyEntry]) -> Keymap:
    """The keymap that a config asks for. Raises ConfigError, for the first mistake."""
    keymap, mistakes = examine(entries)
    if mistakes:
        raise mistakes[0]
    return keymap


def examine(entries: Iterable[KeyEntry]) -> tuple[Keymap, list[ConfigError]]:
    """The keymap as far as it can be understood, and every mistake in it."""
    wishes: dict[str, list[str]] = {}
    mistakes: list[ConfigError] = []
    said: dict[str, KeyEntry] = {}
    for entry in entries:
        if entry.action not in BY_ID:
            mistakes.append(_unknown_action(entry))
            continue
        keys, wrong = _keys_of(entry)
        mistakes += wrong
        for other, theirs in wishes.items():
            twice = sorted(set(keys) & set(theirs)) if _meet(entry.action, other) else []
            mistakes += [_bound_twice(entry, key, said[other]) for key in twice]
        wishes[entry.action], said[entry.action] = keys, entry
    return _merged(wishes), mistakes


def _merged(wishes: dict[str, list[str]]) -> Keymap:
    """Every action's own wish, or its usual keys without those that others wish on the same screens."""
    result = {action: ",".join(keys) for action, keys in wishes.items()}
    taken = []
    for action in ACTIONS:
        if action.id in wishes:
            continue
        gone = {key for other, keys in wishes.items() if _meet(action.id, other) for key in keys}
        kept = [key for key in action.keys.split(",") if key not in gone]
        result[action.id] = ",".join(kept)
        if not kept:
            taken.append(action.id)
    return Keymap(result, tuple(taken))


def _meet(one: str, other: str) -> bool:
    """Whether both can be done on one screen."""
    return bool(set(BY_ID[one].places) & set(BY_ID[other].places))


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
    """A key as Textual calls it; empty for what is none.

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
    plain = WORDS.get(word.lower(), word.lower())
    return plain if plain in _names() else ""


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """The names of all keys that are no single character."""
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
