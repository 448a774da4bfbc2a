from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from ui import synthetic, synthetic_alerts
from ui.fake_feed import FakeFeed
from voicetop.alerts.runbooks import RunbookLibrary
from voicetop.engine.snapshot import Snapshot, View
from voicetop.errors import UsageError
from voicetop.sources import LinkState
from voicetop.ui.actions.keymap import USUAL
from voicetop.ui.actions.responding import IncidentActions
from voicetop.ui.app import ConsoleApp
from voicetop.ui.hidden_columns import HiddenColumns
from voicetop.ui.lines import text_of, width_of
from voicetop.ui.renderables import alerts
from voicetop.ui.renderables.scene import Scene
from voicetop.ui.screens.alert import AlertPage
from voicetop.ui.screens.alerts import AlertsPage
from voicetop.ui.screens.page import Host
from voicetop.ui.silence_entry import parse_silence
from voicetop.ui.style.display_options import DisplayOptions, to_ascii
from voicetop.wire.text import safe_text

GOLDEN = Path(__file__).parents[1] / "golden"
SIZES = [(80, 24), (120, 40), (200, 50)]
AT = synthetic.AT
SHELF = RunbookLibrary((Path("/home/ana/rules"),))
ALERTING = cache(synthetic_alerts.alerting)
SHOWN = {
    "alerts-active": ("active", "", ALERTING),
    "alerts-resolved": ("resolved", "", ALERTING),
    "alerts-silences": ("silences", "", ALERTING),
    "alerts-calm": ("active", "", cache(synthetic_alerts.calm)),
    "alerts-learning": ("active", "", cache(synthetic_alerts.learning)),
    "alert-page": ("active", "i7", ALERTING),
    "alert-taken": ("acknowledged", "i8", ALERTING),
    "alert-no-runbook": ("resolved", "i4", ALERTING),
}


def small(view: View | None = None, tick: int = 0) -> Snapshot:
    """The same with few calls: keys are about incidents."""
    return msgspec.structs.replace(synthetic.incident(view, tick, 12), alerts=synthetic_alerts.PANEL)


def console(feed: FakeFeed | None = None, **more: object) -> ConsoleApp:
    return ConsoleApp(feed or FakeFeed(ALERTING), runbooks=SHELF, **more)  # type: ignore[arg-type]


def painted(
    snap: Snapshot, tab: str, incident: str, size: tuple[int, int], options: DisplayOptions | None = None
) -> list[str]:
    host = cast("Host", SimpleNamespace(keymap=USUAL, columns=HiddenColumns()))
    incidents = cast("IncidentActions", SimpleNamespace(runbook=SHELF.find))
    page: AlertsPage | AlertPage = AlertsPage(host, incidents)
    row = snap.alerts.find(incident)
    if row is not None:
        page = AlertPage(host, incidents, row)
    elif isinstance(page, AlertsPage):
        page.tab = tab
    snap = msgspec.structs.replace(snap, view=page.view(snap.view))
    page.see(snap)
    lines = page.lines(Scene(snap, LinkState("live"), options or DisplayOptions(), snap.view), *size)
    assert [width_of(line) for line in lines] == [size[0]] * size[1]
    return [text_of(line).rstrip() for line in lines]


def test_an_empty_list_says_in_whose_hands_is_what_fires_all_the_same() -> None:
    snap = ALERTING()
    held = tuple(row for row in snap.alerts.incidents if row.state in ("acknowledged", "silenced"))
    panel = msgspec.structs.replace(snap.alerts, incidents=held, critical=0, warning=1)
    lines = painted(msgspec.structs.replace(snap, alerts=panel), "active", "", (120, 40))
    assert "   No other active alerts: 1 acknowledged, 1 silenced." in lines
    assert not any("was resolved" in line for line in lines)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("kind", SHOWN)
def test_the_screen_looks_as_it_was_last_approved(kind: str, size: tuple[int, int]) -> None:
    """Written anew with `rm tests/ui/golden/alert*` and a run; look at the difference before committing it."""
    tab, incident, make = SHOWN[kind]
    made = "\n".join(painted(make(), tab, incident, size)) + "\n"
    golden = GOLDEN / f"{kind}-{size[0]}x{size[1]}.txt"
    if not golden.exists():
        golden.write_text(made, encoding="utf-8")
    assert made == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [1, 20, 39, 60, 79, 100, 109, 110, 160, 300])
@pytest.mark.parametrize("height", [4, 5, 10, 24, 80])
def test_any_size_gives_exactly_that_many_cells(width: int, height: int) -> None:
    for tab, incident, make in SHOWN.values():
        painted(make(), tab, incident, (width, height))


@pytest.mark.parametrize("size", SIZES)
def test_ascii_mode_is_ascii(size: tuple[int, int]) -> None:
    for tab, incident, make in SHOWN.values():
        for line in painted(make(), tab, incident, size, DisplayOptions(ascii=True)):
            assert to_ascii(line).isascii()


@pytest.mark.parametrize("size", SIZES)
def test_cleaned_hostile_text_keeps_every_line_in_its_width(size: tuple[int, int]) -> None:
    snap = synthetic_alerts.hostile(safe_text(synthetic.HOSTILE))
    for tab in alerts.TABS:
        painted(snap, tab, "", size)
    for row in snap.alerts.incidents:
        painted(snap, "", row.id, size)


def test_what_matters_of_an_incident_is_there_at_80x24() -> None:
    text = "\n".join(painted(ALERTING(), "", "i8", (80, 24)))
    for needed in (
        "2.4× normal 1,630 ms, n 312",
        "82 % in LLM",
        "explain 91 %",
        "2.7 s = 1.5 × normal P95 1.8 s",
        "62 s to detect",
        "68 s to acknowledge",
        "2 of 5 done",
        "called acme",
    ):
        assert needed in text.replace("\n            ", " "), needed


@pytest.mark.parametrize("size", SIZES)
def test_a_resolved_incident_keeps_the_figures_at_firing_at_its_worst_and_at_its_end_apart(
    size: tuple[int, int],
) -> None:
    lines = painted(ALERTING(), "", "i4", size)
    (line,) = [number for number, line in enumerate(lines) if line.startswith(" figure")]
    text = lines[line] + lines[line + 1].removeprefix(" " * 11) * (size[0] == 80)
    assert "fired at 1.8× (2,930 ms) · worst 2.4× at 08:25:32 · last 1.3×" in text
    assert "threshold 1.5×" in text


def test_an_onset_has_its_bounds_or_the_change_that_it_was() -> None:
    assert any("began 14:01:12 ± 20 s" in line for line in painted(ALERTING(), "", "i8", (120, 40)))
    assert any("began with deploy v42, 08:16:30" in line for line in painted(ALERTING(), "", "i4", (120, 40)))


def test_the_list_tells_what_became_of_the_figure() -> None:
    lines = painted(ALERTING(), "resolved", "", (200, 50))
    assert any("i4" in line and "worst 2.4×, last 1.3×" in line for line in lines)
    lines = painted(ALERTING(), "acknowledged", "", (200, 50))
    assert any("i8" in line and "worst 2.9×, now 2.1×" in line for line in lines)


def test_severity_is_a_glyph_and_a_word() -> None:
    lines = painted(ALERTING(), "active", "", (120, 40))
    assert any("■ i7" in line and "critical" in line for line in lines)
    assert any("◌ –" in line and "fires in 24 s" in line for line in lines)
    assert any("▲ i9" in line and "part of i7" in line for line in lines)


def test_a_step_shows_the_live_values_that_it_speaks_of() -> None:
    text = "\n".join(painted(ALERTING(), "", "i8", (120, 60)))
    for needed in ("P95 ≥ 3,910 ms", "412 of 600 tested · limit in 41 min", "deploy v42 13:57, 10 min ago"):
        assert needed in text


def test_an_incident_is_copied_as_one_line() -> None:
    row = synthetic_alerts.PAGE
    said = alerts.incident_text(row, ALERTING(), DisplayOptions())
    assert said.startswith("acme-prod i7 · waiting · critical · firing · 29 of 80")
    assert "18 s to detect" in said


# -- silences, as they are typed -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "until", "matcher", "why"),
    [
        ("30m", AT + 1800, "", ""),
        ("for 2h the provider knows", AT + 7200, "", "the provider knows"),
        (
            "1d language=es family=latency maintenance",
            AT + 86400,
            "family=latency language=es",
            "maintenance",
        ),
        ("until 15:00", 1_795_359_600.0, "", ""),
        ("14:00 tomorrow", 1_795_356_000.0 + 86400, "", "tomorrow"),
        ("1h 'intent=close account'", AT + 3600, "'intent=close account'", ""),
    ],
)
def test_a_silence_is_typed_with_its_end(typed: str, until: float, matcher: str, why: str) -> None:
    assert parse_silence(typed, AT, utc=True) == (until, matcher, why)


@pytest.mark.parametrize("typed", ["", "soon", "0m", "99d", "25:00", "1h =es", "-5m", "until"])
def test_what_is_no_end_is_said(typed: str) -> None:
    with pytest.raises(UsageError):
        parse_silence(typed, AT, utc=True)
