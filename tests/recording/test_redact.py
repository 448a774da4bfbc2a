"""Personal data is removed, callers stay distinguishable, and figures don't change."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from recording.fleet_samples import fleet_frames
from recording.recording_samples import batch, beat, feed, read_all, record, welcome
from voicetop.cli import run
from voicetop.recording.redact import Redactor
from voicetop.session import Session
from voicetop.wire.events import AnyEvent
from voicetop.wire.frames import RawBatch, Welcome

KEY = b"a key"


def redacted(*events: dict[str, Any], key: bytes = KEY, **options: Any) -> list[dict[str, Any]]:
    redactor = Redactor(key, **options)
    decoded = msgspec.json.decode(redactor.frame(batch(1, 1.0, *events)), type=RawBatch)
    return [json.loads(bytes(raw)) for raw in decoded.events]


def said(text: str, **fields: Any) -> str:
    return str(
        redacted({"type": "turn", "call_id": "c1", "ts": 1.0, "user_text": text, **fields})[0]["user_text"]
    )


@pytest.mark.parametrize(
    "personal",
    [
        "+1 415 555 0100", "(415) 555-0100", "415.555.0100", "4155550100", "0049 30 1234567", "+49 (0)30 123456-78",
        "maria.lopez+x@mail.example.com", "maria at example dot com", "4111 1111 1111 1111", "4111-1111-1111-1111",
        "378282246310005", "DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "482913775", "4 1 5 5 5 5 0 1 0 0",
        "four one five, five five five oh one double zero", "1234-5678-9012-3456-7890", "AC482913",
    ],
)  # fmt: skip
def test_personal_data_is_found_anywhere_in_a_text(personal: str) -> None:
    for text in (personal, f"it's {personal}, thanks", f"({personal})", f"so: {personal}."):
        found = said(text)
        for part in [part for part in personal.split() if len(part) > 5] or [personal]:
            assert part not in found
        assert "-" in found


@pytest.mark.parametrize(
    "harmless",
    [
        "on 2026-11-22",
        "at 14:05",
        "2 to 3 weeks",
        "42.5 %",
        "order 1234",
        "it took 1.23456789 s",
        "one two three",
        "",
    ],
)
def test_other_numbers_stay(harmless: str) -> None:
    assert said(harmless) == harmless


def test_a_caller_stays_one_caller_however_the_number_is_written() -> None:
    first, second, third, other = redacted(
        {"type": "call.start", "ts": 1.0, "call_id": "a", "caller": "+1 415 555 0100"},
        {"type": "call.start", "ts": 1.0, "call_id": "b", "caller": "4155550100"},
        {"type": "turn", "ts": 1.0, "call_id": "c", "user_text": "(415) 555-0100"},
        {"type": "call.start", "ts": 1.0, "call_id": "d", "caller": "+1 415 555 0199"},
    )
    assert first["caller"] == second["caller"] == third["user_text"]
    assert first["caller"].startswith("phone-")
    assert other["caller"] != first["caller"]


def test_a_name_is_replaced_where_it_recurs_in_the_same_call() -> None:
    start, turn, stranger = redacted(
        {"type": "call.start", "ts": 1.0, "call_id": "a", "caller": "Maria López"},
        {"type": "turn", "ts": 1.0, "call_id": "a", "agent_text": "Hello Maria, is it Mrs. LÓPEZ?"},
        {"type": "turn", "ts": 1.0, "call_id": "b", "agent_text": "Hello Maria"},
    )
    name = start["caller"]
    assert name.startswith("name-")
    assert turn["agent_text"] == f"Hello {name}, is it Mrs. {name}?"
    assert stranger["agent_text"] == "Hello Maria"


def test_configured_fields_are_replaced_at_any_depth_whatever_their_value() -> None:
    (event,) = redacted(
        {
            "type": "call.start",
            "ts": 1.0,
            "call_id": "a",
            "segments": {"patient": 7, "intent": "billing"},
            "new": [{"Patient": "x"}],
        },
        fields=("patient",),
    )
    assert event["segments"]["patient"].startswith("name-")
    assert event["segments"]["intent"] == "billing"
    assert event["new"][0]["Patient"].startswith("name-")


def test_tool_arguments_and_results_are_redacted() -> None:
    (event,) = redacted(
        {
            "type": "tool",
            "ts": 1.0,
            "call_id": "a",
            "name": "lookup",
            "state": "ok",
            "arguments": '{"phone":"+14155550100","n":4155550100,"ok":true,"email":"a@b.io"}',
            "result": "not json: a@b.io",
        }
    )
    inner = json.loads(event["arguments"])
    assert inner["phone"].startswith("phone-")
    assert inner["n"] == inner["phone"]
    assert inner["email"].startswith("email-")
    assert inner["ok"] is True
    assert "a@b.io" not in event["result"]


def test_pseudonyms_depend_on_the_key() -> None:
    event = {"type": "call.start", "ts": 1.0, "call_id": "a", "caller": "Ann"}
    assert redacted(event) == redacted(event)
    assert redacted(event, key=b"another") != redacted(event)
    assert redacted(event, key=b"") != redacted(event, key=b"")


def test_data_that_cannot_be_parsed_is_removed() -> None:
    redactor = Redactor(KEY)
    payload = base64.b64encode(b"call me: 4155550100").decode()
    events = [{"type": "malformed", "ts": 1.0, "payload": payload, "error": "x"}, "call 4155550100", 5]
    frame = msgspec.json.encode(
        RawBatch(seq=1, at=[(1.0, 3)], events=[Raw(json.dumps(event).encode()) for event in events])
    )
    text = redactor.frame(frame)
    assert payload.encode() not in text
    assert b"4155550100" not in text
    assert redactor.frame(b"call 4155550100") == b"withheld"
    told = msgspec.json.decode(redactor.frame(welcome(1, 1.0, state=b"Ann")), type=Welcome)
    assert told.state == b""
    assert redactor.report()[-2:] == ["checkpoints left out: 1", "invalid payloads left out: 2"]


def test_the_sample_of_a_bad_value_is_removed() -> None:
    event = {
        "type": "repaired",
        "ts": 1.0,
        "kind": "cut",
        "count": 2,
        "why": "`user_text` is too long",
        "sample": "Ann",
    }
    assert redacted(event) == [{name: value for name, value in event.items() if name != "sample"}]


def test_drop_text_removes_transcripts_and_unknown_fields() -> None:
    turn, words, odd = redacted(
        {"type": "turn", "ts": 1.0, "call_id": "a", "user_text": "hello", "e2e_ms": 5.0, "note": "hello"},
        {"type": "transcript", "ts": 1.0, "call_id": "a", "role": "user", "text": "hello"},
        {"type": "new.kind", "ts": 1.0, "text": "hello"},
        drop_text=True,
    )
    assert words == {"type": "transcript", "ts": 1.0, "call_id": "a", "role": "user"}
    assert turn == {"type": "turn", "ts": 1.0, "call_id": "a", "e2e_ms": 5.0}
    assert odd == {"type": "new.kind", "ts": 1.0}


def test_the_figures_of_a_fleet_do_not_change() -> None:
    plain, hidden, redactor = Session(), Session(), Redactor(KEY)
    for frame in fleet_frames(60):
        plain.feed(frame)
        hidden.feed(redactor.frame(frame))
    assert hidden.codec.stats.malformed == plain.codec.stats.malformed == 0
    assert hidden.codec.stats.events == plain.codec.stats.events
    assert len(hidden.engine.roster.live) == len(plain.engine.roster.live) > 0
    assert hidden.engine.ledger.windows.dump() == plain.engine.ledger.windows.dump()


def test_a_redacted_event_stays_valid_however_long_its_texts_become() -> None:
    (event,) = redacted(
        {
            "type": "error",
            "ts": 1.0,
            "call_id": "1234567 " * 64,
            "component": "llm",
            "category": "x",
            "message": "1234567 " * 2500,
        }
    )
    msgspec.convert(event, AnyEvent)


def test_a_hostile_text_costs_no_more_than_its_length() -> None:
    for text in (
        "a" * 20_000,
        "1-" * 10_000,
        "one " * 5_000,
        "a." * 10_000 + "@",
        " at b dot" * 2_000,
        "[" * 20_000,
    ):
        said(text)


def test_a_whole_file_is_redacted_and_reported_without_an_original(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICETOP_REDACT_KEY", "mine")
    start = {"type": "call.start", "ts": 1.0, "call_id": "a", "caller": "+14155550100"}
    path = record(tmp_path / "a.vtr", [welcome(0, 1.0), batch(1, 1.0, start), beat(2, 1.25)], source="ws://h")
    for out in ("b.vtr", "c.vtr"):
        assert run(["redact", str(path), "-o", str(tmp_path / out)]) == 0
    said = capsys.readouterr().err
    assert "phone: 1 replaced, 1 different (caller 1)" in said
    assert "555" not in said
    first, second = read_all(tmp_path / "b.vtr"), read_all(tmp_path / "c.vtr")
    assert first == second
    assert [record[:3] for record in first[0][1:]] == [record[:3] for record in read_all(path)[0][1:]]  # type: ignore[index]


def folder_of(path: Path, *names: str) -> Path:
    path.mkdir()
    for number, name in enumerate(names):
        record(path / name, feed(3, start=1.76e9 + 100 * number))
    return path


def test_a_folder_is_redacted_file_by_file_into_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = folder_of(tmp_path / "day", "a.vtr", "b.vtr"), tmp_path / "shareable"
    assert run(["redact", str(source), "-o", f"{out}/"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.vtr", "b.vtr"]
    assert all(read_all(out / name)[1] == [] for name in ("a.vtr", "b.vtr"))
    assert capsys.readouterr().err.count(" records in ") == 2
    assert run(["redact", str(source), "-o", f"{out}/"]) == 2, "nothing is overwritten"
    assert "a.vtr already exists" in capsys.readouterr().err
    assert run(["redact", str(source), "-o", str(source)]) == 2
    assert "is the folder of the recordings" in capsys.readouterr().err


def test_a_folder_is_redacted_into_one_file_where_a_file_is_named(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "day", "a.vtr", "b.vtr")
    assert run(["redact", str(source), "-o", str(tmp_path / "one.vtr")]) == 0
    assert (tmp_path / "one.vtr").is_file()


def test_a_bad_file_of_a_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = folder_of(tmp_path / "day", "a.vtr", "c.vtr"), tmp_path / "out.vtr"
    (source / "b.vtr").write_text("not a recording")
    assert run(["redact", str(source), "-o", f"{tmp_path}/shareable/"]) == 2
    assert f"{source / 'b.vtr'} is not a recording" in capsys.readouterr().err
    assert not (tmp_path / "shareable").exists()
    assert run(["redact", str(source), "-o", str(out)]) == 0, "as a replay does"
    assert f"voicetop: {source / 'b.vtr'} is not a recording" in capsys.readouterr().err
    (source / "b.vtr").unlink()
    data = bytearray((source / "c.vtr").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (source / "c.vtr").write_bytes(data)
    assert run(["export", str(source), "-o", str(tmp_path / "day.jsonl")]) == 0
    assert f"voicetop: {source / 'c.vtr'} is damaged at byte " in capsys.readouterr().err
