from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from ui import synthetic
from voicetop.engine.snapshot import (
    NAN,
    CapacityPanel,
    ErrorKind,
    Figure,
    Latencies,
    SentimentPanel,
    Series,
    Severity,
    Snapshot,
    Verdict,
    View,
    WaitingPanel,
)
from voicetop.formatting import numbers
from voicetop.sources import LinkState
from voicetop.ui.actions.keymap import USUAL
from voicetop.ui.actions.registry import ACTIONS
from voicetop.ui.lines import text_of, width_of
from voicetop.ui.renderables.calls import ENDED_COLUMNS, LIVE_COLUMNS, fit_columns
from voicetop.ui.renderables.capacity import capacity_line
from voicetop.ui.renderables.chart import spark
from voicetop.ui.renderables.footer import entry_line, footer, keys_line, message_lines
from voicetop.ui.renderables.header import header, verdict
from voicetop.ui.renderables.overview import overview
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.renderables.waiting import waiting_screen
from voicetop.ui.silence_entry import HINT as SILENCE_HINT
from voicetop.ui.style.display_options import DisplayOptions, to_ascii
from voicetop.ui.time.entry import HINT as TIME_HINT
from voicetop.wire.text import safe_text

GOLDEN = Path(__file__).parent / "golden"
SIZES = [(80, 24), (120, 40), (200, 50)]
KINDS = {
    "empty": synthetic.empty,
    "busy": synthetic.busy,
    "incident": synthetic.incident,
    "blind": synthetic.blind,
    "young": synthetic.young,
    "recovering": synthetic.recovering,
    "loading": synthetic.catching_up,
}


def painted(snap: Snapshot, width: int, height: int, options: DisplayOptions | None = None) -> list[str]:
    scene = Scene(snap, LinkState("live"), options or DisplayOptions(), snap.view)
    lines = [
        *header(scene, width),
        *overview(snap, scene.options, width, height - 4),
        footer("overview", "overview", width),
    ]
    assert [width_of(line) for line in lines] == [width] * height
    return [text_of(line).rstrip() for line in lines]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_overview_looks_as_it_was_last_approved(kind: str, width: int, height: int) -> None:
    """Written anew with `rm tests/ui/golden/*` and a run; look at the difference before committing it."""
    made = "\n".join(painted(KINDS[kind](), width, height)) + "\n"
    golden = GOLDEN / f"overview-{kind}-{width}x{height}.txt"
    if not golden.exists():
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(("width", "height"), [(60, 20), (50, 15)])
def test_small_screens_look_as_they_were_last_approved(width: int, height: int) -> None:
    test_the_overview_looks_as_it_was_last_approved("incident", width, height)


@pytest.mark.parametrize("stuck", [1, 3, 6])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 20), (50, 15), (40, 12), (200, 12)])
def test_stuck_callers_with_their_waits_are_the_last_thing_to_go(width: int, height: int, stuck: int) -> None:
    snap = synthetic.incident()
    needing_eyes = [row for row in snap.needing_eyes if row.eyes == "stuck"][:stuck]
    snap = msgspec.structs.replace(snap, needing_eyes=needing_eyes, calls=synthetic.busy().calls)
    lines = painted(snap, width, height)
    shown = [line for line in lines if line.startswith(" ■ ")]
    assert len(shown) == stuck
    for row, line in zip(needing_eyes, shown, strict=True):
        assert row.call_id in line
        assert f"{row.waiting_s:.1f} s" in line
    assert "▲ DEGRADED" in lines[1]


def test_figures_come_before_calls_that_are_not_stuck() -> None:
    lines = painted(synthetic.busy(), 60, 20)
    assert any("P99" in line for line in lines)


@pytest.mark.parametrize("width", [1, 7, 20, 39, 60, 79, 80, 99, 100, 119, 159, 160, 300])
@pytest.mark.parametrize("height", [4, 5, 10, 23, 31, 43, 80])
def test_any_size_gives_exactly_that_many_cells(width: int, height: int) -> None:
    for make in KINDS.values():
        assert len(painted(make(), width, height)) == height


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 36), (200, 50), (300, 80)])
def test_nothing_that_matters_is_cut(width: int, height: int) -> None:
    text = "\n".join(painted(synthetic.incident(), width, height))
    for needed in (
        "DEGRADED",
        "412",
        "600 tested",
        "742",
        "≥ 3,910",
        "6,204",
        "2,610 ▲",
        "4.1 %",
        "overloaded",
        "86.1 %",
    ):
        assert needed in text
    for needed in (
        "6.2 %",
        "$0.084",
        "too few (n=12)",
        "31 stuck",
        "billing",
        "LAST E2E",
        "14:07:32",
        "5 min",
    ):
        assert needed in text


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_figures_of_a_young_feed_say_how_little_they_cover(width: int, height: int) -> None:
    young, full = ("\n".join(painted(make(), width, height)) for make in (synthetic.young, synthetic.busy))
    assert young.count("2 of 30 min") == 4  # success, abandonment, cost, sentiment
    assert young.count("2 of 5 min") == 2  # response time, errors
    assert " of 30 min" not in full
    assert " of 5 min" not in full


@pytest.mark.parametrize("width", [120, 160, 200, 300])
def test_every_small_panel_has_its_n(width: int) -> None:
    titles = next(line for line in painted(synthetic.busy(), width, 40) if "task success" in line)
    assert [int(n) for n in re.findall(r" n (\d+) ", titles)] == [402, 402, 402, 211]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_while_history_is_loading_nothing_is_asked_for(width: int, height: int) -> None:
    text = "\n".join(painted(synthetic.catching_up(), width, height))
    assert "◌ CATCHING UP  history is loading, events are 26 min behind" in text
    assert "needs call." not in text
    assert "appears when" not in text


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_an_hour_of_the_day_is_not_a_part_of_the_last_minutes(width: int, height: int) -> None:
    snap = synthetic.young(View(where=(("hour", "13"),)))
    text = "\n".join(painted(snap, width, height))
    assert "2 of " not in text
    assert re.search(r"response time ─.* 24 h ─ n 5,812", text)


@pytest.mark.parametrize("level", get_args(Severity))
@pytest.mark.parametrize("waiting", [0, 23])
def test_what_is_said_of_calm_callers_does_not_contradict_the_verdict(level: Severity, waiting: int) -> None:
    snap = synthetic.busy()
    snap = msgspec.structs.replace(
        snap, verdict=Verdict(level, "…"), waiting=msgspec.structs.replace(snap.waiting, waiting=waiting)
    )
    text = "\n".join(painted(snap, 120, 40))
    assert ("nothing needs attention" in text) == (level in ("ok", "learning"))
    unsure = level in ("blind", "catching_up")
    assert ("none stuck" in text or "no caller is waiting" in text) == (not unsure)
    assert ("not known while" in text) == unsure


def narrow(n: int) -> Snapshot:
    """A segment with so few calls and turns."""
    snap = synthetic.busy(View(where=(("intent", "billing"), ("tier", "gold"))))
    few = Figure(0.5 if n else NAN, n, few=True)
    kinds = (ErrorKind("llm", "timeout", few),) if n else ()
    turns = Latencies("e2e", few, few, few)
    change = msgspec.structs.replace
    return change(
        snap,
        waiting=WaitingPanel(),
        latency=change(snap.latency, e2e=turns, split=tuple((name, few) for name, _ in snap.latency.split)),
        errors=change(snap.errors, rate=few, kinds=kinds),
        outcome=change(snap.outcome, success=few, coverage=few, escalation=few),
        abandonment=change(snap.abandonment, rate=few),
        cost=change(snap.cost, per_call=few),
        mood=SentimentPanel(few, few, few),
        calls=change(snap.calls, of=n, rows=snap.calls.rows[:n]),
        needing_eyes=(),
    )


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_segment_without_calls_says_so_and_asks_for_no_events(width: int, height: int) -> None:
    text = "\n".join(painted(narrow(0), width, height))
    for needed in ("no call", "no outcome in 30 min", "no ended call in 30 min", "no cost in 30 min"):
        assert needed in text
    assert "No live calls in this segment." in text
    assert "n=0" not in text
    assert "needs call." not in text


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_of_three_calls_there_are_no_percentages(width: int, height: int) -> None:
    text = "\n".join(painted(narrow(3), width, height)[3:])
    assert "too few (n=3)" in text
    assert "too few turns for a breakdown (n=3)" in text
    assert re.search("timeout +2 of 3", text)
    assert "50.0 %" not in text


def test_every_severity_has_a_glyph_and_a_word() -> None:
    words = []
    for level in get_args(Severity):
        snap = synthetic.busy()
        snap = msgspec.structs.replace(snap, verdict=msgspec.structs.replace(snap.verdict, severity=level))
        words.append(text_of(header(Scene(snap, LinkState("live")), 120)[1]).split()[:2])
    assert words == [
        *(["●", "OK"], ["○", "IDLE"], ["◌", "LEARNING"], ["◌", "CATCHING"], ["△", "RECOVERING"]),
        *(["▲", "DEGRADED"], ["■", "DOWN"], ["?", "BLIND"]),
    ]


@pytest.mark.parametrize("level", ["recovering", "degraded", "down"])
def test_what_lasts_says_since_when(level: Severity) -> None:
    snap = synthetic.incident()
    snap = msgspec.structs.replace(snap, verdict=msgspec.structs.replace(snap.verdict, severity=level))
    assert verdict(Scene(snap, LinkState("live")))[1].startswith("since 14:01 (6 min) · P95 response")


def test_blind_says_since_when_and_what_is_done_about_it() -> None:
    link = LinkState("reconnecting", tries=4)
    level, text = verdict(Scene(synthetic.blind(), link))
    assert level == "blind"
    assert text == "feed silent for 11 s · last event 14:07:21 · reconnecting (try 4)"


def test_a_lost_link_is_blind_even_before_the_session_says_so() -> None:
    assert verdict(Scene(synthetic.busy(), LinkState("reconnecting", tries=1)))[0] == "blind"
    assert verdict(Scene(synthetic.busy(), LinkState("ended")))[0] == "ok"
    assert verdict(Scene(None, LinkState("reconnecting", tries=1))) == (
        "learning",
        "no response from the hub yet",
    )
    assert verdict(Scene(None, LinkState("connecting"))) == ("learning", "waiting for the feed")
    assert verdict(Scene(synthetic.busy(), LinkState("live"), error="disk full")) == (
        "blind",
        "the feed thread stopped: disk full",
    )


def test_a_long_verdict_goes_on_in_a_second_line() -> None:
    lines = [text_of(line).rstrip() for line in header(Scene(synthetic.incident(), LinkState("live")), 80)]
    assert lines[1].endswith("(n 312)")
    assert lines[2].strip() == "LLM +1,900 ms · billing × es × v42 explain 91 % · 31 calls"


def test_before_there_is_a_hub_it_says_what_to_type() -> None:
    link = LinkState("reconnecting", tries=3, why="connection refused", where="ws://127.0.0.1:8377")
    text = "\n".join(text_of(line) for line in waiting_screen(Scene(None, link), 80, 20))
    for needed in (
        "No response from ws://127.0.0.1:8377 (try 3)",
        "connection refused",
        "voicetop serve",
        "voicetop demo",
    ):
        assert needed in text


def test_why_a_feed_stopped_is_never_cut() -> None:
    why = "/home/ana/.config/voicetop/rules/mine.toml, line 2: 'rules.x.metric' is no figure; did you mean 'p95_e2e'?"
    lines = waiting_screen(Scene(None, LinkState(), error=why), 60, 12)
    assert why in " ".join(" ".join(text_of(line).split()) for line in lines)


def test_a_refusal_says_that_trying_again_is_no_use() -> None:
    link = LinkState("refused", why="wrong token", where="ws://hub:8377")
    text = "\n".join(text_of(line) for line in waiting_screen(Scene(None, link), 100, 20))
    assert "wrong token" in text
    assert "would not help" in text


def test_columns_drop_by_importance() -> None:
    titles = [
        {fitted.column.title for fitted in fit_columns(LIVE_COLUMNS, width)} for width in range(30, 300)
    ]
    assert all(before <= after for before, after in pairwise(titles))
    assert {"CALL", "AGE", "WHY", "WAITING", "INTENT", "LAST E2E", "ERR"} <= titles[80 - 30]
    assert titles[200 - 30] == {column.title for column in LIVE_COLUMNS}
    assert {fitted.column.title for fitted in fit_columns(ENDED_COLUMNS, 80)} >= {
        "CALL",
        "ENDED",
        "REASON",
        "OUTCOME",
    }


def test_the_limit_that_counts_and_the_one_that_a_publisher_reports_are_both_shown() -> None:
    panel = CapacityPanel(live=20, limit=300, published=40)
    shown = text_of(capacity_line(panel, DisplayOptions(), 120))
    assert "300 tested (set at the hub; a publisher says 40)" in shown
    assert "300 tested" in text_of(capacity_line(panel, DisplayOptions(), 80))


def test_capacity_at_its_line_says_so_in_words() -> None:
    panel = msgspec.structs.replace(synthetic.busy().capacity, live=612, severity="down")
    assert "■ over limit, 102 %" in text_of(capacity_line(panel, DisplayOptions(), 120))
    panel = msgspec.structs.replace(panel, live=540, severity="degraded")
    assert "▲ near limit, 90 %" in text_of(capacity_line(panel, DisplayOptions(), 80))


def test_what_the_hub_reports_as_lost_is_shown() -> None:
    calm = synthetic.busy()
    snap = msgspec.structs.replace(calm, feed=msgspec.structs.replace(calm.feed, malformed=3, missed=120))
    text = "\n".join(painted(snap, 200, 50))
    assert "3 malformed · 120 missed" in text


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_ascii_mode_is_ascii(width: int, height: int) -> None:
    for kind in ("incident", "empty"):
        for line in painted(KINDS[kind](), width, height, DisplayOptions(ascii=True)):
            assert to_ascii(line).isascii()
            assert "?" not in to_ascii(line).replace("? help", "")


def test_cleaned_hostile_text_keeps_every_line_in_its_width() -> None:
    snap = synthetic.hostile(safe_text(synthetic.HOSTILE))
    for width, height in SIZES:
        painted(snap, width, height)


def test_local_time_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert "19:37:32 IST" in painted(synthetic.busy(), 120, 40, DisplayOptions(utc=False))[0]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_every_footer_names_a_way_out() -> None:
    for width in (60, 80, 120, 200):
        for place in ("overview", "calls"):
            text = text_of(footer(place, place, width))
            assert "q quit" in text
            assert "? help" in text


def test_the_registry_has_no_key_twice_in_one_place() -> None:
    seen: set[tuple[str, str]] = set()
    for action in ACTIONS:
        for key in action.keys.split(","):
            for place in action.places:
                assert (key, place) not in seen, (key, place)
                seen.add((key, place))


def test_the_table_shows_what_a_view_asks_for() -> None:
    snap = synthetic.busy(View(ended=True, sort="ended"))
    assert all(row.ended_at == row.ended_at for row in snap.calls.rows)


@pytest.mark.parametrize(
    "note", ["short", "duration and reason: 30m · 2h · until 15:00 · 1h family=latency maintenance"]
)
def test_what_is_typed_is_not_cut_for_the_sake_of_a_hint(note: str) -> None:
    for text in ("", "3m ago", "30m looking at the provider's status page", "x" * 60):
        said = text_of(entry_line("silence i2", text, note, 80))
        assert text in said
        assert "█ " in said
        assert width_of(entry_line("silence i2", text, note, 80)) == 80
    assert "y" * 60 + "█" in text_of(entry_line("note", "x" * 80 + "y" * 60, note, 80))


def test_where_a_hint_has_no_room_its_keys_are_the_last_to_go() -> None:
    hint = "14:05 · 3m ago · -90s   Enter goes, Esc cancels"
    assert text_of(entry_line("go to", "", hint, 80)).endswith(f"{hint} ")
    assert text_of(entry_line("go to", "14:0", hint, 50)).endswith(
        "14:0█              Enter goes, Esc cancels "
    )


@pytest.mark.parametrize(("prompt", "hint"), [("silence i12", SILENCE_HINT), ("go to", TIME_HINT)])
def test_an_empty_entry_shows_its_whole_hint_at_80_columns(prompt: str, hint: str) -> None:
    assert hint in text_of(entry_line(prompt, "", hint, 80))


def test_help_and_quit_come_last_and_the_least_important_keys_go_first() -> None:
    ids = ("back", "open", "next_call", "help", "quit", "previous_call", "copy")
    whole, narrow = (text_of(keys_line("call", ids, width, USUAL, {})).rstrip() for width in (120, 56))
    assert whole.endswith("J next call  K previous call  y copy  ? help  q quit")
    assert narrow.endswith("J next call  ? help  q quit")


def test_a_range_of_one_value_is_that_value() -> None:
    series = Series(0.0, 60.0, (11_300.0, 11_300.0), at_least=(True, True))
    drawn = text_of(spark(series, 30, DisplayOptions(), numbers.milliseconds))
    assert drawn.endswith(" ≥ 11.3 s")
    assert drawn.count("≥") == 1


@pytest.mark.parametrize("width", range(52, 80))
def test_how_much_of_a_window_there_is_is_told_whole_or_not_at_all(width: int) -> None:
    [errors] = [line for line in painted(synthetic.young(), width, 24) if line.startswith("  errors")]
    assert "…" not in errors


@pytest.mark.parametrize("width", [80, 40, 20, 1])
def test_a_message_is_told_whole_in_as_many_lines_as_it_takes(width: int) -> None:
    text = "all calls are shown already: Enter on a row of Segments filters, b goes to the affected segment"
    lines = message_lines(text, width)
    assert 1 <= len(lines) <= 3
    assert all(width_of(line) == width for line in lines)
    if width >= 40:
        assert " ".join(" ".join(map(text_of, lines)).split()) == text
    assert len(message_lines(text, width, 1)) == 1
