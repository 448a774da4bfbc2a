from __future__ import annotations

from rich.segment import Segment
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from voicetop.ui.terminal.output import TerminalOutput


def test_after_a_suspension_all_is_sent_again_at_the_usual_rate() -> None:
    output = TerminalOutput(None, fps=2.0)
    frame = LayoutUpdate([[Strip([Segment("LIVE CALLS 412")])]], Region(0, 0, 14, 1))
    assert output.take(frame, None) is not None
    assert output.take(frame, None) is None
    now = 100.0
    while not output.slowness:  # it was stopped in the middle of a frame
        output.frame_rate.due(now)
        output.frame_rate.set_blocked()
        now += 75.0
        output.frame_rate.frame_complete(now)
    output.resume()
    assert output.slowness == ""
    assert output.frame_rate.rate == 2.0
    assert output.take(frame, None) is not None
