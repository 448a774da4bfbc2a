"""Exports: every record is included, and opening one is harmless."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
from pathlib import Path

import msgspec
import pytest

from recording.fleet_samples import START, record_fleet
from recording.recording_samples import batch, beat, read_all, record, welcome
from voicetop.cli import run
from voicetop.recording import export, read
from voicetop.recording.redact import Redactor
from voicetop.wire.frames import Welcome


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_fleet(tmp_path_factory.mktemp("export") / "a.vtr", 150)


def exported(path: Path, form: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["export", str(path), "--format", form]) == 0
    return capsys.readouterr().out


def test_json_lines_hold_every_record_unchanged(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in exported(recording, "jsonl", capsys).splitlines()]
    records = [record for record in read_all(recording)[0] if not isinstance(record, Welcome)]
    assert [(line["seq"], line["at"], line["local"]) for line in lines] == [record[:3] for record in records]
    assert [line["event"] for line in lines] == [json.loads(record[3]) for record in records]
    assert lines[0]["time"].startswith("2025-10-09T08:53:")
    assert {line["epoch"] for line in lines} == {"e1"}


def test_a_table_has_a_row_per_record_and_a_column_per_field(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(recording, "csv", capsys))))
    records = [record for record in read_all(recording)[0] if not isinstance(record, Welcome)]
    assert [int(row["seq"]) for row in rows] == [record[0] for record in records]
    turns = [row for row in rows if row["type"] == "turn"]
    assert all(float(row["e2e_ms"]) > 0 for row in turns if row["status"] in ("", "ok") and row["e2e_ms"])
    assert any(row["latency.stt"] for row in turns)
    start = next(row for row in rows if row["type"] == "call.start")
    assert isinstance(json.loads(start["segments"]), dict)


HUGE = b'{"type":"turn","ts":1.0,"call_id":"a","mine":1e999,"e2e_ms":900}'


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_number_that_nobody_can_hold_in_a_field_of_ones_own_costs_that_field(
    tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = b'{"type":"batch","seq":1,"at":[[1.0,1]],"events":[%b]}' % HUGE
    text = exported(record(tmp_path / "a.vtr", [frame]), form, capsys)
    assert "900" in text
    assert "mine" not in text


def test_so_it_does_in_a_redacted_recording(tmp_path: Path) -> None:
    redacted = msgspec.json.decode(
        Redactor(b"key").frame(b'{"type":"batch","seq":1,"at":[[1.0,1]],"events":[%b]}' % HUGE)
    )
    assert redacted["events"][0]["e2e_ms"] == 900
    assert "mine" not in redacted["events"][0]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1+2", "@SUM(A1)", "\tx"])
def test_no_cell_is_a_formula(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    event = {"type": "turn", "ts": 1.0, "call_id": "a", "user_text": text, "e2e_ms": -1.0}
    path = record(tmp_path / "a.vtr", [batch(1, 1.0, event)])
    (row,) = csv.DictReader(io.StringIO(exported(path, "csv", capsys)))
    assert (row["user_text"], row["e2e_ms"]) == (f"'{text}", "-1.0")


def test_time_series_count_what_happened(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = exported(recording, "openmetrics", capsys)
    assert text.endswith("# EOF\n")
    events = [json.loads(record[3]) for record in read_all(recording)[0] if not isinstance(record, Welcome)]
    last = dict(re.findall(r"^(voicetop_\w+(?:\{.*\})?) (\S+) \S+$", text, re.MULTILINE))
    assert float(last['voicetop_events_total{type="turn"}']) == sum(e["type"] == "turn" for e in events)
    assert float(last["voicetop_calls_started_total"]) == sum(e["type"] == "call.start" for e in events)
    answered = sum(e["type"] == "turn" and "e2e_ms" in e for e in events)
    assert float(last["voicetop_turn_e2e_seconds_count"]) == answered
    assert float(last['voicetop_turn_e2e_seconds_bucket{le="+Inf"}']) == answered
    families = re.findall(r"^# TYPE (\w+) \w+$", text, re.MULTILINE)
    assert len(families) == len(set(families))
    stamps = [float(at) for at in re.findall(r"^voicetop_calls_started_total \S+ (\S+)$", text, re.MULTILINE)]
    assert stamps == sorted(stamps)
    assert len(stamps) == 3


def test_time_series_tell_who_waits_while_no_reply_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends: list[dict[str, object]] = [
        {"type": "turn", "turn": 0, "e2e_ms": 900.0},
        {"type": "call.end", "reason": "user_hangup"},
        {"type": "stage", "name": "vad", "state": "start"},
        {"type": "call.update", "state": "held"},
        {"type": "stage", "name": "llm", "state": "start"},
    ]
    calls = [f"c{number}" for number in range(len(ends))]
    begin = [{"type": "turn.start", "ts": 10.0, "call_id": call, "turn": 0} for call in calls]
    end = [{**event, "ts": 70.0, "call_id": call} for call, event in zip(calls, ends, strict=True)]
    path = record(tmp_path / "a.vtr", [batch(1, 10.0, *begin), batch(6, 70.0, *end)])
    text = exported(path, "openmetrics", capsys)
    assert re.findall(r"^voicetop_callers_waiting (\S+) (\S+)$", text, re.MULTILINE) == [
        ("5", "60"),
        ("1", "120"),
    ]


def test_time_series_count_a_turn_once_however_often_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[dict[str, object]] = [
        {"type": "turn.start", "turn": 0},
        {"type": "turn", "turn": 0, "e2e_ms": 900.0},
        {"type": "turn", "turn": 0, "agent_text": "Let me see."},
        {"type": "turn.start", "turn": 1},
        {"type": "turn", "turn": 0, "interrupted": True},
        {"type": "turn.start", "turn": 0},
        {"type": "turn", "turn": 0, "e2e_ms": 800.0},
    ]
    events = [{**event, "ts": 10.0, "call_id": "a"} for event in told]
    text = exported(record(tmp_path / "a.vtr", [batch(1, 10.0, *events)]), "openmetrics", capsys)
    assert (
        'voicetop_turns_total{status="ok"} 2.0 60' in text or 'voicetop_turns_total{status="ok"} 2 60' in text
    )
    assert re.search(r"^voicetop_turn_e2e_seconds_count 2(\.0)? 60$", text, re.MULTILINE)


def test_labels_are_bounded_and_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends = [
        {"type": "call.end", "ts": 1.0, "call_id": str(n), "reason": f'a "reason"\\\n{n}'} for n in range(200)
    ]
    path = record(tmp_path / "a.vtr", [batch(1, START, *ends)])
    text = exported(path, "openmetrics", capsys)
    series = [line for line in text.splitlines() if line.startswith("voicetop_calls_ended_total{")]
    assert len(series) == export.MAX_LABEL_VALUES + 1
    assert r'{reason="a \"reason\"\\\n0"}' in series[0]
    assert any('reason="other"} 136 ' in line for line in series)


def test_records_that_are_not_events_are_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = b'{"type":"batch","seq":1,"at":[[1.0,3]],"events":[5,"x",{"type":["turn"],"call_id":{}}]}'
    path = record(tmp_path / "a.vtr", [welcome(0), odd, b"nonsense", beat(4, 2.0)])
    for form in ("jsonl", "csv", "openmetrics"):
        assert exported(path, form, capsys)
    with read(path) as reader:
        assert [row[1] for row in export.records(reader)] == [3, 4]


def test_an_export_is_a_new_file_readable_by_its_owner_only(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    assert run(["export", str(recording), "--format", "csv", "-o", str(out)]) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    assert run(["export", str(recording), "--format", "csv", "-o", str(out)]) == 2


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_parquet_without_pyarrow_names_the_missing_package(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", str(recording), "--format", "parquet", "-o", str(tmp_path / "a.parquet")]) == 2
    assert "parquet needs pyarrow: pip install 'voicetop[parquet]'" in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow")
def test_parquet_has_the_same_table(recording: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    out = tmp_path / "a.parquet"
    assert run(["export", str(recording), "--format", "parquet", "-o", str(out)]) == 0
    table = pq.read_table(out)
    records = [record for record in read_all(recording)[0] if not isinstance(record, Welcome)]
    assert table.column("seq").to_pylist() == [record[0] for record in records]
    assert table.column("at").to_pylist() == [record[1] for record in records]
    assert {"latency.stt", "segments", "e2e_ms"} <= set(table.column_names)
