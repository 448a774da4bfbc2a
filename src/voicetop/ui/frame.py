"""Assembles a frame around the page: strips above the footer, and a message in place of the footer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

from voicetop.engine.snapshot import View
from voicetop.ui.feeds import Feeds
from voicetop.ui.lines import Line
from voicetop.ui.renderables.feeds import feeds_line
from voicetop.ui.renderables.footer import MAX_MESSAGE_LINES, message_lines
from voicetop.ui.renderables.scene import Hint, Scene, When
from voicetop.ui.renderables.tour import tour_lines
from voicetop.ui.screens.page import Host
from voicetop.ui.time.bar import Timebar
from voicetop.ui.tour import Tour

MIN_HEIGHT = 10
"""Screens of this height or less show only the page."""


class Frame:
    """Collects what a frame shows, and makes the strips."""

    def __init__(self, host: Host, feeds: Feeds) -> None:
        self.timebar = Timebar()
        self._host = host
        self._feeds = feeds

    def scene(self, view: View | None, slowness: str) -> Scene:
        """What to paint, live or in the past; `slowness` describes the terminal's, in words."""
        feed, viewed = self._feeds.current.handle, self._feeds.viewed
        live = Scene(feed.latest, feed.link, self._host.options, view or View(), feed.error, slowness)
        kind = viewed.kind
        if kind is None:
            return live
        when = When(
            kind=kind,
            position=viewed.position,
            timeline=viewed.timeline,
            name=PurePath(self._feeds.current.name).name,
            live=None if kind == "replay" else live,
            hints=self._hints(),
        )
        shown = viewed.shown
        return replace(live, snap=viewed.picture, link=shown.link, error=shown.error, when=when)

    def _hints(self) -> tuple[Hint, ...]:
        """The banner's keys, most important first."""
        viewed, key = self._feeds.viewed, self._host.key_of
        space = "pause" if viewed.position.playing else "live" if viewed.resumes_live else "play"
        names: tuple[Hint, ...]
        if viewed.kind == "replay":
            names = (("freeze", space), ("step_back", "back"), ("go_to", "go to"), ("event_next", "event"))
        elif viewed.kind == "held":
            names = (("live", "live"),)
        elif viewed.resumes_live:
            names = (("live", "live"), ("step_back", "back"), ("go_to", "go to"))
        else:
            names = (("live", "live"), ("step_back", "back"), ("freeze", space), ("go_to", "go to"))
        return tuple((key(name), label) for name, label in names if key(name))

    def strips(self, scene: Scene, tour: Tour | None, width: int, height: int) -> list[Line]:
        """The lines above the footer: timeline, tour caption, verdicts of all feeds."""
        if height <= MIN_HEIGHT:
            return self.timebar.hidden()
        strips = [*self._timeline(scene, width, height)]
        if tour is not None:
            strips += tour_lines(tour.caption, tour.place, width)
        if self._feeds.several:
            feeds = [
                (name, Scene(handle.latest, handle.link, scene.options, error=handle.error))
                for name, handle in self._feeds.all
            ]
            strips.append(feeds_line(feeds, self._feeds.index, width, self._host.key_of("next_feed")))
        self.timebar.top = height - 1 - len(strips)
        return strips

    def _timeline(self, scene: Scene, width: int, height: int) -> list[Line]:
        """The timeline, shown in the past and in replays."""
        when = scene.when
        if when is None or when.kind == "held":
            return self.timebar.hidden()
        return self.timebar.lines(when.timeline, self._feeds.viewed.here, scene.options, width, height)


def with_message(lines: list[Line], message: str, width: int) -> list[Line]:
    """The lines of a screen, the last of them replaced by a message."""
    if not message:
        return lines
    message_rows = message_lines(message, width, MAX_MESSAGE_LINES if len(lines) > MIN_HEIGHT else 1)
    return [*lines[: len(lines) - len(message_rows)], *message_rows]
