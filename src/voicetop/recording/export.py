"""Exports a recording as JSON lines, a table or time series. Memory doesn't grow with the file, except for OpenMetrics,
which holds its samples (one a minute per series).
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, TextIO

import msgspec

from voicetop.errors import UsageError
from voicetop.formatting import times
from voicetop.recording.call_tally import CallTally
from voicetop.recording.format import event_of
from voicetop.recording.notes import with_notes
from voicetop.recording.reader import Reader
from voicetop.wire.batches import UNDECODABLE, expand_stamps
from voicetop.wire.events import EVENT_TYPES, Agent, Durations
from voicetop.wire.frames import RawBatch

Row = tuple[float, int, bool, str, dict[str, Any]]
Rows = Iterable[Row]
_batch_decoder = msgspec.json.Decoder(RawBatch)
_STAMP = ("time", "at", "seq", "local", "epoch", "type")
_WHOLE = {"segments", "segment", "payload"}
_PARTS = {"agent": Agent, "latency": Durations}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
PARQUET_ROWS = 20_000


def records(reader: Reader, recording: str | os.PathLike[str] | None = None) -> Iterator[Row]:
    """Each record: stamp, seq, whether it is local, epoch, event. Skips records that are not JSON objects.

    `recording` is the reader's path (None: a pipe), so that notes in its sidecar are included.
    """
    for _, frame in with_notes(reader, recording):
        try:
            batch = _batch_decoder.decode(frame)
        except UNDECODABLE:
            continue
        ats = expand_stamps(batch.at, len(batch.events))
        for number, (at, raw) in enumerate(zip(ats, batch.events, strict=True)):
            try:
                event = event_of(raw)
            except (msgspec.MsgspecError, RecursionError):
                continue
            if isinstance(event, dict):
                yield at, batch.seq + (0 if batch.local else number), batch.local, reader.epoch, event


def to_jsonl(rows: Rows, out: TextIO) -> None:
    """One line per record: its stamps, then the event unchanged."""
    for at, seq, local, epoch, event in rows:
        line = {"time": times.iso(at), "at": at, "seq": seq, "local": local, "epoch": epoch, "event": event}
        out.write(msgspec.json.encode(line).decode())
        out.write("\n")


def columns() -> list[str]:
    """The columns of a table: the stamps, then every field of the protocol; nested fields as `latency.stt`."""
    names: dict[str, None] = dict.fromkeys(_STAMP)
    for kind in EVENT_TYPES.values():
        for field in kind.__struct_fields__:
            part = _PARTS.get(field)
            names.update(
                dict.fromkeys(f"{field}.{name}" for name in part.__struct_fields__) if part else {field: None}
            )
    return list(names)


def flat(row: Row) -> dict[str, Any]:
    """A record as a row of that table. Segments are JSON in one cell. Unknown fields stay; the table drops them."""
    at, seq, local, epoch, event = row
    cells: dict[str, Any] = {"time": times.iso(at), "at": at, "seq": seq, "local": local, "epoch": epoch}
    for name, value in event.items():
        if name in _PARTS and isinstance(value, dict):
            cells.update((f"{name}.{inner}", cell) for inner, cell in value.items())
        elif name in _WHOLE or isinstance(value, (dict, list)):
            cells[name] = msgspec.json.encode(value).decode()
        elif name not in _STAMP or name == "type":
            cells[name] = value
    return cells


def to_csv(rows: Rows, out: TextIO) -> None:
    """A table with a header. Text that a spreadsheet would read as a formula gets a ' prefix."""
    writer = csv.DictWriter(out, columns(), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _escape_formula(cell) for name, cell in flat(row).items()})


def _escape_formula(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def to_parquet(rows: Rows, out: BinaryIO) -> None:
    """The same table in Parquet, zstd-compressed. Raises UsageError if pyarrow isn't installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise UsageError("parquet needs pyarrow: pip install 'voicetop[parquet]'") from None
    kinds = {"at": pa.float64(), "seq": pa.int64(), "local": pa.bool_()}
    schema = pa.schema([(name, kinds.get(name, _kind(name, pa))) for name in columns()])
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        chunk: list[dict[str, Any]] = []
        for row in rows:
            cells = flat(row)
            chunk.append({field.name: _cast(cells.get(field.name), str(field.type)) for field in schema})
            if len(chunk) >= PARQUET_ROWS:
                writer.write_table(pa.Table.from_pylist(chunk, schema))
                chunk = []
        writer.write_table(pa.Table.from_pylist(chunk, schema))


def _kind(name: str, pa: Any) -> Any:
    number = name.startswith("latency.") or name.endswith(
        ("_ms", "_s", "_usd", "_pct", "_wpm", "_dbfs", "_hz")
    )
    return pa.float64() if number or name in ("ts", "turn") else pa.string()


def _cast(value: Any, kind: str) -> Any:
    """The cell converted to its column's type; None if it can't be."""
    if value is None:
        return None
    if kind == "string":
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if isinstance(value, (int, float)) and math.isfinite(value):
        return value if kind in ("int64", "bool") else float(value)
    return None


BOUNDS_S = (0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
STEP_S = 60.0
MAX_LABEL_VALUES = 64
"""Distinct values per label; later ones become "other"."""


Sample = tuple[str, float, float]
"""Labels, stamp, value."""

HISTOGRAM = "turn_e2e_seconds"
"""Of completed turns: in an outage it is `callers_waiting` that rises."""
GAUGES = ("calls_live", "callers_waiting")


class _Counters:
    """Counts by name and labels, and the calls live and waiting for a reply, sampled once a minute of stamp time."""

    def __init__(self) -> None:
        self.calls = CallTally()
        self.now: dict[tuple[str, str], float] = {}
        self.samples: dict[str, list[Sample]] = {}
        self._values: dict[tuple[str, str], set[str]] = {}

    def add(self, name: str, value: float = 1.0, **labels: Any) -> None:
        text = ",".join(f'{label}="{self._label(name, label, given)}"' for label, given in labels.items())
        self.now[name, text] = self.now.get((name, text), 0.0) + value

    def sample(self, at: float) -> None:
        self.now["calls_live", ""] = len(self.calls.live)
        self.now["callers_waiting", ""] = len(self.calls.waiting)
        for (name, labels), value in self.now.items():
            self.samples.setdefault(name, []).append((labels, at, value))

    def _label(self, name: str, label: str, raw: Any) -> str:
        value = str(raw or "")
        values = self._values.setdefault((name, label), set())
        if value not in values and len(values) >= MAX_LABEL_VALUES:
            value = "other"
        values.add(value)
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def to_openmetrics(rows: Rows, out: TextIO) -> None:
    """Counters once a minute, with their stamps, as `promtool tsdb create-blocks-from openmetrics` reads them."""
    counters, due = _Counters(), 0.0
    reached = 0.0
    for at, _, _, _, event in rows:
        if reached and at >= due:
            counters.sample(due)
        if at >= due:
            due = (math.floor(at / STEP_S) + 1) * STEP_S
        reached = max(reached, at)
        _count(counters, event)
    if reached:
        counters.sample(due)
    histogram = [name for name in counters.samples if name.startswith(HISTOGRAM)]
    for name in sorted(counters.samples.keys() - set(histogram)):
        _write_family(name, counters.samples[name], out)
    if histogram:
        _write_histogram({name: counters.samples[name] for name in histogram}, out)
    out.write("# EOF\n")


def _count(counters: _Counters, event: dict[str, Any]) -> None:
    kind = str(event.get("type"))
    counters.add("events", type=kind if kind in EVENT_TYPES else "unknown")
    if not counters.calls.counts(event):
        return
    if kind == "call.start":
        counters.add("calls_started")
    elif kind == "call.end":
        counters.add("calls_ended", reason=event.get("reason"))
    elif kind == "error":
        final = "true" if event.get("final", True) else "false"
        counters.add("errors", component=event.get("component"), category=event.get("category"), final=final)
    elif kind == "turn":
        counters.add("turns", status=event.get("status", "ok"))
        _count_latency(counters, event.get("e2e_ms"))


def _count_latency(counters: _Counters, e2e_ms: Any) -> None:
    if not isinstance(e2e_ms, (int, float)) or not math.isfinite(e2e_ms):
        return
    seconds = e2e_ms / 1000
    for bound in BOUNDS_S:
        counters.add(f"{HISTOGRAM}_bucket", float(seconds <= bound), le=bound)
    counters.add(f"{HISTOGRAM}_bucket", le="+Inf")
    counters.add(f"{HISTOGRAM}_count")
    counters.add(f"{HISTOGRAM}_sum", seconds)


def _write_family(name: str, samples: list[Sample], out: TextIO) -> None:
    """The samples of one metric, series by series."""
    gauge = name in GAUGES
    out.write(f"# TYPE voicetop_{name} {'gauge' if gauge else 'counter'}\n")
    for sample in sorted(samples, key=lambda sample: sample[:2]):
        _write_sample(name if gauge else f"{name}_total", sample, out)


def _write_histogram(named: dict[str, list[Sample]], out: TextIO) -> None:
    """All series of a histogram at one time, then at the next, as the standard requires."""
    out.write(f"# TYPE voicetop_{HISTOGRAM} histogram\n")
    points = [(name, sample) for name, samples in named.items() for sample in samples]
    for name, sample in sorted(points, key=lambda point: point[1][1]):  # stable: bounds keep their order
        _write_sample(name, sample, out)


def _write_sample(name: str, sample: Sample, out: TextIO) -> None:
    labels, at, value = sample
    braced = f"{{{labels}}}" if labels else ""
    out.write(f"voicetop_{name}{braced} {value:.15g} {at:.15g}\n")
