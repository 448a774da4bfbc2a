"""Bookmarks and notes on the time on the screen, about the open call."""

from __future__ import annotations

from math import isnan
from pathlib import PurePath

from voicetop.engine.snapshot import NAN
from voicetop.sources import Act
from voicetop.ui.actions.registry import Handlers
from voicetop.ui.feeds import Feeds
from voicetop.ui.screens.page import Host
from voicetop.ui.screens.prompt import PromptBox
from voicetop.ui.stack import Stack


class AnnotationActions:
    """The actions that bookmark and note the viewed time."""

    def __init__(self, host: Host, feeds: Feeds, stack: Stack) -> None:
        self._host = host
        self._feeds = feeds
        self._stack = stack

    def handlers(self) -> Handlers:
        return {"bookmark": self._bookmark, "note": self._note}

    def _bookmark(self) -> None:
        self._add("bookmark", "")

    def _note(self) -> None:
        """Ask for a note's text. Incident pages have their own action, for notes on the selected incident."""
        subject = "this call" if self._stack.page.about else "this moment"
        hint = f"a note on {subject}   Enter saves, Esc cancels"
        self._host.push(PromptBox(self._host, "note", hint, self._add_note))

    def _add_note(self, text: str) -> str:
        if not text.strip():
            return "the note is empty: Esc cancels"
        self._add("note", text.strip())
        return ""

    def _add(self, act: str, text: str) -> None:
        viewed = self._feeds.viewed
        at = NAN if viewed.live else viewed.here
        why_not = viewed.feed.operate(Act(act, text=text, at=at, call_id=self._stack.page.about))
        if why_not:
            self._host.say(why_not)
            return
        picture = viewed.picture
        shown_at = at if not isnan(at) else picture.at if picture is not None else NAN
        clock = f" at {self._host.options.clock(shown_at)}" if not isnan(shown_at) else ""
        where = (
            f"saved with {PurePath(self._feeds.current.name).name}"
            if viewed.replay
            else "sent to the hub and recorded"
        )
        self._host.say(f"{act}{clock}: {where}")
