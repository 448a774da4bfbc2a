"""The history: one writer, schema upgrades, and one clear line for every problem with its file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from notify.receivers import effect
from voicetop.errors import HistoryError
from voicetop.history.baselines import StoredBaseline, latest, latest_of_each, save
from voicetop.history.incidents import IncidentLog, incidents_since
from voicetop.history.store import MIGRATIONS, Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.db"


def one_line(error: pytest.ExceptionInfo[HistoryError], path: Path) -> str:
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_second_writer_learns_who_holds_the_lock(path: Path) -> None:
    store = Store(path, writer="hub")
    with pytest.raises(HistoryError) as error:
        Store(path, writer="watch")
    assert f"voicetop hub (pid {os.getpid()}) already writes this history" in one_line(error, path)
    reader = Store(path)
    assert reader.read("SELECT count(*) FROM incidents") == [(0,)]
    reader.close()
    store.close()
    Store(path, writer="watch").close()


def test_a_writer_that_was_killed_leaves_no_lock(path: Path) -> None:
    script = (
        "import os; from pathlib import Path; from voicetop.history.store import Store\n"
        f"Store(Path({str(path)!r}), writer='hub'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=30, check=False)
    assert done.returncode == -9
    Store(path, writer="hub").close()


def test_a_history_of_a_later_version_is_not_touched(path: Path) -> None:
    Store(path, writer="hub").close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    for writer in ("hub", ""):
        with pytest.raises(HistoryError) as error:
            Store(path, writer=writer)
        assert "from a later voicetop (schema 99)" in one_line(error, path)


def test_an_older_schema_is_upgraded_by_its_writer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(path, writer="hub").close()
    monkeypatch.setattr(
        "voicetop.history.store.MIGRATIONS", (*MIGRATIONS, "ALTER TABLE incidents ADD COLUMN extra TEXT;")
    )
    with pytest.raises(HistoryError, match="its writer upgrades it"):
        Store(path)
    Store(path, writer="hub").close()
    reader = Store(path)
    assert reader.read("SELECT extra FROM incidents") == []
    reader.close()


def test_damaged_missing_and_unreachable_histories_are_one_line_each(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not at all a database" * 500)
    for writer in ("hub", ""):
        with pytest.raises(HistoryError) as error:
            Store(path, writer=writer)
        assert "the history is damaged" in one_line(error, path)
    missing = tmp_path / "none.db"
    with pytest.raises(HistoryError) as error:
        Store(missing)
    assert "no history yet" in one_line(error, missing)
    (tmp_path / "file").touch()
    inside = tmp_path / "file" / "history.db"
    with pytest.raises(HistoryError) as error:
        Store(inside, writer="hub")
    assert "cannot keep a history here" in one_line(error, inside)


def test_a_full_disk_is_logged_once_and_stops_nothing(path: Path) -> None:
    store = Store(path, writer="hub")
    pages = store.read("PRAGMA page_count")[0][0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    log: list[str] = []
    incidents = IncidentLog(store, log.append)
    for number in range(200):
        incidents.record([effect(number=number)])
    assert log == [f"{path}: the disk is full: make room; alerts continue without it"]
    store.close()


def test_a_lock_held_by_another_program_is_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(path, writer="hub")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    store._db.execute("PRAGMA busy_timeout = 50")
    with pytest.raises(HistoryError) as error:
        store.write("DELETE FROM incidents WHERE key = ?", [("x",)])
    assert "another program has locked the history" in one_line(error, path)
    other.close()
    store.close()


def test_an_incident_is_recorded_with_its_times(path: Path) -> None:
    store = Store(path, writer="hub")
    log = IncidentLog(store, print)
    onset = 1_700_000_000.0
    effects = [
        effect("fired", at=onset + 40, tier="warning"),
        effect("worse", at=onset + 60),
        effect("acknowledged", at=onset + 100, by="ana"),
        effect("resolved", at=onset + 400, blame="", by="ben"),
    ]
    log.record(effects)
    log.record(effects)
    (incident,) = incidents_since(store, onset)
    assert incident.tier == "critical"
    assert incident.segment == "intent=billing"
    assert incident.blame == "82 % in LLM · billing × es"
    assert (incident.to_detect_s, incident.to_acknowledge_s, incident.to_resolve_s) == (40.0, 60.0, 400.0)
    assert (incident.acked_by, incident.resolved_by) == ("ana", "ben")
    log.record([effect(number=2, at=onset + 900, onset=onset + 890)])
    assert [one.incident_id for one in incidents_since(store, onset + 1)] == ["i2"]
    assert (
        incidents_since(store, onset + 1)[0].resolved_at != incidents_since(store, onset + 1)[0].resolved_at
    )
    store.close()


def test_recording_from_the_middle_of_an_incident_fills_in_its_times(path: Path) -> None:
    store = Store(path, writer="hub")
    onset = 1_700_000_000.0
    over = effect("resolved", at=onset + 400, fired_at=onset + 40, acked_at=onset + 100)
    late = effect("fired", 2, at=onset + 200, fired_at=onset + 40)
    IncidentLog(store, print).record([over, late])
    incident, muted = incidents_since(store, onset)
    assert (incident.to_detect_s, incident.to_acknowledge_s, incident.to_resolve_s) == (40.0, 60.0, 400.0)
    assert muted.to_detect_s == 40.0, "though it was part of another until then, and told only after"
    store.close()


def test_the_latest_baseline_of_a_name_is_used(path: Path) -> None:
    store = Store(path, writer="hub")
    first = StoredBaseline("prod", "acme", 1.0, 0.0, 1.0, 10, ("cost", "fault"), "a.vtr", "1", b"\x00\x01")
    second = StoredBaseline("prod", "acme", 2.0, 0.0, 2.0, 20, ("cost",), "b.vtr", "1", b"\x02")
    other = StoredBaseline("test", "acme", 1.5, 0.0, 2.0, 5, (), "c.vtr", "1", b"")
    for one in (first, second, other):
        save(store, one)
    assert latest(store, "prod") == second
    assert latest(store, "none") is None
    assert latest_of_each(store) == [second, other]
    store.close()
