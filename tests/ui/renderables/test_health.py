"""One judgement of a stage, wherever it is shown."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ui import synthetic
from voicetop.engine.snapshot import LatencyPanel, Snapshot
from voicetop.ui.lines import Line
from voicetop.ui.renderables.health import split_line, stage_table


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def llm(snap: Snapshot, **off: bool) -> LatencyPanel:
    """The panel, with the LLM's percentiles judged as told; it is the culprit of whatever is slow."""
    stages = tuple(
        replace(
            stage,
            p50=replace(stage.p50, off=off.get("p50", False), warn=1.5 * stage.p50.normal.value),
            p95=replace(stage.p95, off=off.get("p95", False), warn=1.5 * stage.p95.normal.value),
        )
        if stage.name == "llm_ttft"
        else stage
        for stage in snap.latency.stages
    )
    return replace(snap.latency, stages=stages, culprit="llm_ttft")


@pytest.mark.parametrize(
    ("off", "mark"),
    [({}, False), ({"p95": True}, True), ({"p50": True}, True), ({"p50": True, "p95": True}, True)],
)
def test_a_stage_has_the_same_mark_in_the_split_and_in_the_table(off: dict[str, bool], mark: bool) -> None:
    panel = llm(synthetic.busy(), **off)
    (row,) = [text(line) for line in stage_table(panel) if "LLM" in text(line)]
    split = text(split_line(panel, 120))
    assert ("▲" in row) is mark
    assert ("▲" in split.partition("LLM")[2].partition("│")[0]) is mark
    assert split.count("▲") == mark, "and no other stage has one"
