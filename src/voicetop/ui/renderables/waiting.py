"""The screen before the first snapshot: what voicetop waits for, and what to do without a hub."""

from __future__ import annotations

from voicetop.ui.lines import BLANK, Line, Row, block, clip
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.renderables.wrapping import wrapped

REMEDIES = (
    ("voicetop serve", "the hub that your agents publish to"),
    ("voicetop demo", "a simulated fleet, to look around"),
)


def waiting_screen(scene: Scene, width: int, height: int) -> list[Line]:
    """The body while there is nothing to show."""
    lines = [BLANK, *(_refused(scene) if scene.link.phase == "refused" else _waiting(scene, width))]
    return block(lines, height, width)


def _waiting(scene: Scene, width: int) -> list[Line]:
    link = scene.link
    where = link.where or "the hub"
    if scene.error:
        why = [_sentence(part) for part in wrapped(f"The feed stopped: {scene.error}", width - 6)]
        return [*why, BLANK, _sentence("q quits.")]
    if link.phase == "live":
        return [
            _sentence(f"Connected to {where}."),
            BLANK,
            _sentence("Waiting for the hub's state.", "muted"),
        ]
    if link.tries < 1 and link.phase == "connecting":
        return [_sentence(f"Connecting to {clip(where, width - 20)} …")]
    tried = f"No response from {clip(where, width - 30)}" + (f" (try {link.tries})" if link.tries else "")
    why = [_sentence(clip(link.why, width - 6), "muted")] if link.why else []
    lines = [
        _sentence(tried),
        *why,
        BLANK,
        _sentence("If there is no hub yet, type in another terminal:", "muted"),
        BLANK,
    ]
    lines += [Row(6).left(20, command, "accent").add(what, "muted").line() for command, what in REMEDIES]
    return [*lines, BLANK, _sentence("voicetop keeps trying and starts automatically.", "muted")]


def _refused(scene: Scene) -> list[Line]:
    return [
        _sentence(f"The hub at {scene.link.where or 'this address'} refused: {scene.link.why}"),
        BLANK,
        _sentence("Retrying would not help. Check the address and the token, then start again."),
    ]


def _sentence(text: str, tone: str = "text") -> Line:
    return Row(3).add(text, tone).line()
