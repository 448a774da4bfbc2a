"""`voicetop baseline`, and a hub that begins with what was learned and goes on learning."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cli.test_serve import serving
from recording.recording_samples import batch, record, welcome
from voicetop.alerts.changes.baseline import FORMAT
from voicetop.cli import baseline_store, run
from voicetop.engine.windows.histograms import METRICS
from voicetop.errors import HistoryError
from voicetop.history import baselines
from voicetop.history.baselines import StoredBaseline
from voicetop.history.store import Store
from voicetop.session import Session

START = 1_760_001_000.0
"""Ten minutes past a whole hour."""
HOURS = 1.2
EVERY_S = 20


def frames(hours: float = HOURS) -> Iterator[bytes]:
    """A calm fleet: a call every 20 s, with one turn and an end."""
    dice = random.Random(3)
    seq = 1
    yield welcome(0, START)
    for number in range(int(hours * 3600 / EVERY_S)):
        at = START + number * EVERY_S
        events: list[dict[str, Any]] = [{"type": "heartbeat", "ts": at, "seq": seq}]
        call = {"call_id": f"c{number}"}
        events += [
            {
                "type": "call.start",
                "ts": at,
                **call,
                "segments": {"intent": dice.choice(["billing", "orders"])},
            },
            {"type": "turn.start", "ts": at, "turn": 0, **call},
            {"type": "turn", "ts": at + 1, "turn": 0, "e2e_ms": dice.uniform(600, 1400), **call},
            {"type": "call.end", "ts": at + 2, "reason": "completed", **call},
        ]
        yield batch(seq, at, *events)
        seq += len(events)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("week") / "week.vtr", list(frames()))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def test_a_baseline_is_learned_shown_and_taken_elsewhere(
    week: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--history", str(store)]
    assert run(["baseline", "learn", str(week), "--name", "prod", *where]) == 0
    said = capsys.readouterr().out
    assert re.match(r"learned \d\d healthy minutes, [\d,]+ calls; saved to \S+history\.db as prod", said)
    assert run(["baseline", "show", *where]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"e2e +(9|1,0)\d\d ms +1,\d\d\d ms", shown)
    file = tmp_path / "prod.vtb"
    assert run(["baseline", "export", "prod", "-o", str(file), *where]) == 0
    assert run(["baseline", "show", str(file)]) == 0
    assert "healthy minutes" in capsys.readouterr().out
    assert baselines.read_file(file).metrics == METRICS


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["lern"], "did you mean 'learn'?"),
        (["learn"], "name a recording"),
        (["learn", "{short}"], "no full healthy hour with calls"),
        (["learn", "{none}"], "none.vtr"),
        (["show"], "no history yet"),
        (["export", "prod"], "name the output file: add -o FILE"),
        (["show", "{junk}"], "not a baseline: create one with `voicetop baseline export`"),
    ],
)
def test_what_cannot_work_is_one_clear_line(
    tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    short = record(tmp_path / "short.vtr", list(frames(0.2)))
    junk = tmp_path / "junk.vtb"
    junk.write_bytes(b"nothing of the kind")
    named = [word.format(short=short, none=tmp_path / "none.vtr", junk=junk) for word in words]
    assert run(["baseline", *named, "--history", str(store)]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert len(said.splitlines()) == 1


def kept(**changes: Any) -> StoredBaseline:
    session = Session()
    return replace(baseline_store.kept_of(session, "default", "a test"), **changes)


def test_a_baseline_of_another_fleet_is_warned_of_and_one_that_measures_something_else_refused() -> None:
    own = kept(deployment="acme-prod")
    assert baselines.check(own, "acme-prod", "a.vtb", str(FORMAT)) == ""
    assert "a baseline of acme-prod, not of other" in baselines.check(own, "other", "a.vtb", str(FORMAT))
    with pytest.raises(
        HistoryError, match=r"a\.vtb: this baseline cannot be used, its metrics differ \(mouth_to_ear\)"
    ):
        baselines.check(kept(metrics=(*METRICS, "mouth_to_ear")), "", "a.vtb", str(FORMAT))
    with pytest.raises(HistoryError, match="it has another version"):
        baselines.check(kept(format="0"), "", "a.vtb", str(FORMAT))
    with pytest.raises(HistoryError, match="the baseline is damaged"):
        baseline_store.opened(kept(data=b"\xc1"), "a.vtb")


def test_a_baseline_in_the_history_that_does_not_fit_is_left_out_and_one_that_was_named_is_refused(
    store: Path, tmp_path: Path
) -> None:
    log: list[str] = []
    history = Store(store, writer="test")
    assert baseline_store.first_of("", history, "default", "", log.append) is None
    baselines.save(history, kept(metrics=("other",)))
    assert baseline_store.first_of("", history, "default", "", log.append) is None
    assert "learning what is normal starts again" in log[0]
    baselines.save(history, kept(deployment="other", made_at=5.0))
    first = baseline_store.first_of("", history, "default", "acme-prod", log.append)
    assert first is not None
    assert first() is not first()
    assert "a baseline of other" in log[1]
    history.close()
    file = tmp_path / "x.vtb"
    baselines.write_file(file, kept(metrics=("other",)))
    with pytest.raises(HistoryError, match="its metrics differ"):
        baseline_store.first_of(str(file), None, "default", "", log.append)


async def test_a_hub_begins_with_what_was_learned(week: Path, tmp_path: Path) -> None:
    file = tmp_path / "prod.vtb"
    assert run(["baseline", "learn", str(week), "-o", str(file)]) == 0
    async with serving("--baseline", str(file)) as served:
        from hub.clients import Watcher

        viewer = await Watcher.open(served.url)
        frame = await viewer.read()
        import base64

        session = Session()
        session.load(base64.b64decode(frame["state"]))
        assert baseline_store.desk_of(session).baseline.healthy_s > 0
        assert session.alerts.learning_s(session.engine) == 0
        await viewer.connection.close()


def test_a_session_keeps_what_it_learned_first_and_then_each_hour(store: Path) -> None:
    history = Store(store, writer="test")
    session = Session()
    baseline_store.keep_hourly(session, history, "prod", print)
    for frame in frames():
        session.feed(frame)
    (newest,) = baselines.latest_of_each(history)
    assert newest.name == "prod"
    assert newest.calls > 100
    assert history.read("SELECT count(*) FROM baselines")[0][0] == 2
    history.close()
