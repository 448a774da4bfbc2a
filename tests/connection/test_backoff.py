"""The wait before another try."""

from __future__ import annotations

from voicetop.connection.backoff import Backoff


def test_waits_grow_to_a_limit_with_jitter() -> None:
    waits = [Backoff(first=1.0, growth=2.0, limit=10.0) for _ in range(2)]
    spans = [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    drawn = [[backoff.next() for _ in spans] for backoff in waits]
    for each in drawn:
        assert all(span / 2 <= wait <= span for wait, span in zip(each, spans, strict=True))
    assert drawn[0] != drawn[1]
    waits[0].reset()
    assert waits[0].next() <= 1.0
