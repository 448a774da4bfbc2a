"""A publisher under everything that can happen to its hub, over real sockets."""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import subprocess
import sys
import time

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve

from publish.stub_hub import stub_hub, until
from voicetop import AsyncPublisher, Publisher
from voicetop.errors import UsageError
from voicetop.publish.encoding import encode_event
from voicetop.publish.outbox import KEEP_S, Outbox
from voicetop.wire.events import CallEnd, CallStart, CallUpdate, Error, Latency, Turn, TurnStart


def turn(number: int, call_id: str = "c1") -> TurnStart:
    return TurnStart(call_id=call_id, ts=1000.0 + number, turn=number)


def turns_of(events: list[dict[str, object]]) -> list[object]:
    return [event["turn"] for event in events if event["type"] == "turn.start"]


def test_events_arrive_in_order_with_unique_ids_and_a_source() -> None:
    with stub_hub() as hub, Publisher(hub.url, source="agent-7") as publisher:
        for number in range(50):
            publisher.emit(turn(number))
        until(lambda: len(hub.events) == 50)
        assert turns_of(hub.events) == list(range(50))
        assert {event["source"] for event in hub.events} == {"agent-7"}
        assert len({event["event_id"] for event in hub.events}) == 50
        assert hub.hellos == [{"type": "hello", "role": "publisher", "source": "agent-7"}]
        assert hub.paths == ["/publish"]


def test_a_burst_goes_out_in_few_frames() -> None:
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        until(lambda: publisher.report.connected)
        for number in range(400):
            publisher.emit(turn(number))
        until(lambda: len(hub.events) == 400)
        assert len(hub.frames) - len(hub.statuses) <= 5


def test_the_first_frame_after_hello_is_the_status() -> None:
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        until(lambda: bool(hub.statuses and publisher.report.epoch))
        assert hub.frames[0]["type"] == "source.status"
        assert publisher.report.epoch == "e1"
        assert abs(publisher.report.clock_offset_ms) < 1000


def test_waiting_events_are_sent_when_a_hub_appears() -> None:
    with stub_hub() as gone:
        port = gone.port
    with Publisher(f"ws://127.0.0.1:{port}") as publisher:
        for number in range(5):
            publisher.emit(turn(number))
        with stub_hub(port) as hub:
            until(lambda: len(hub.events) == 5)
            assert turns_of(hub.events) == [0, 1, 2, 3, 4]


def test_the_oldest_events_are_dropped_and_reported() -> None:
    with stub_hub() as gone:
        port = gone.port
    with Publisher(f"ws://127.0.0.1:{port}", queue=100) as publisher:
        for number in range(250):
            publisher.emit(turn(number))
        assert publisher.dropped == 150
        assert publisher.queued == 100
        with stub_hub(port) as hub:
            until(lambda: len(hub.events) == 100)
            assert turns_of(hub.events) == list(range(150, 250))
            assert hub.statuses[0]["dropped"] == 150
            assert hub.statuses[0]["queue"] == 100


def test_a_hub_that_dies_gets_every_event_on_return_and_recognises_repeats() -> None:
    with stub_hub() as hub:
        port, url = hub.port, hub.url
        publisher = Publisher(url)
        for number in range(20):
            publisher.emit(turn(number))
        until(lambda: len(hub.events) == 20)
        before = {event["event_id"]: event for event in hub.events}
    for number in range(20, 40):
        publisher.emit(turn(number))
    with stub_hub(port) as hub:
        until(lambda: 39 in turns_of(hub.events))
        after = {event["event_id"]: event for event in hub.events}
        assert turns_of(hub.events)[-20:] == list(range(20, 40))
        assert before.items() <= after.items()
        assert len(after) == 40
        publisher.close()


def test_live_calls_are_announced_to_a_new_epoch() -> None:
    with stub_hub() as hub:
        port = hub.port
        publisher = Publisher(hub.url)
        publisher.emit(CallStart(call_id="over", ts=1.0))
        publisher.emit(CallEnd(call_id="over", ts=2.0, reason="completed"))
        publisher.emit(CallStart(call_id="live", ts=3.0, segments={"tier": "gold", "language": "en"}))
        publisher.emit(CallUpdate(call_id="live", ts=4.0, segments={"intent": "billing", "tier": None}))
        publisher.emit(CallUpdate(call_id="live", ts=5.0, state="held"))
        until(lambda: len(hub.events) == 5)
        first = hub.events[2]
    with stub_hub(port, epoch="e2") as hub:
        until(lambda: len(hub.events) >= 7)
        again, state = hub.events[:2]
        assert (again["type"], again["call_id"], again["ts"]) == ("call.start", "live", 3.0)
        assert again["segments"] == {"language": "en", "intent": "billing"}
        assert again["event_id"] != first["event_id"]
        assert state["state"] == "held"
        assert hub.statuses[0]["active_calls"] == 1
        publisher.close()


def test_a_hanging_hub_blocks_nobody_and_is_dropped() -> None:
    with stub_hub() as hub:
        publisher = Publisher(hub.url, queue=2_000, patience_s=0.5)
        publisher.emit(turn(0))
        until(lambda: len(hub.events) == 1)
        hub.hung = True
        text = "x" * 10_000
        took = []
        for number in range(4_000):
            event = Turn(call_id="c", ts=1.0, turn=number, agent_text=text)
            began = time.perf_counter()
            publisher.emit(event)
            took.append(time.perf_counter() - began)
        assert statistics.median(took) < 20e-6
        assert max(took) < 0.1
        until(lambda: publisher.report.connections >= 2)
        assert publisher.dropped > 0
        assert publisher.queued <= 2_000
        began = time.monotonic()
        assert publisher.close(timeout=0.3) is False
        assert time.monotonic() - began < 0.6


def test_a_refused_token_is_logged_once_and_retried(caplog: pytest.LogCaptureFixture) -> None:
    with stub_hub(token="right") as hub:
        with Publisher(hub.url, token="wrong") as publisher:
            until(lambda: bool(caplog.records), within=20)
            tries = len(hub.paths)
            until(lambda: len(hub.paths) > tries, within=20)
            assert publisher.report.why == f"{publisher.url} refused: no"
        assert len([record for record in caplog.records if "refused: no;" in record.message]) == 1
        with Publisher(hub.url, token="right") as publisher:
            publisher.emit(turn(1))
            until(lambda: len(hub.events) == 1)


def test_the_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICETOP_TOKEN", "secret")
    with stub_hub(token="secret") as hub, Publisher(hub.url) as publisher:
        until(lambda: publisher.report.connected)


def test_closing_waits_until_the_hub_has_read_everything() -> None:
    with stub_hub() as hub:
        publisher = Publisher(hub.url)
        for number in range(3_000):
            publisher.emit(turn(number))
        assert publisher.close(timeout=30.0)
        assert len(hub.events) == 3_000


def test_a_process_that_exits_still_sends_its_last_events() -> None:
    program = (
        "import sys, voicetop\n"
        "from voicetop.wire.events import CallEnd\n"
        "publisher = voicetop.Publisher(sys.argv[1])\n"
        "while not publisher.report.connected: pass\n"
        "publisher.emit(CallEnd(call_id='c', ts=1.0, reason='completed'))\n"
    )
    with stub_hub() as hub:
        subprocess.run([sys.executable, "-c", program, hub.url], check=True, timeout=20)
        until(lambda: [event["type"] for event in hub.events] == ["call.end"])


def test_invalid_events_are_dropped_and_others_sent() -> None:
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        publisher.emit({"not": "an event"})  # type: ignore[arg-type]
        publisher.emit(TurnStart(call_id="c", ts=object(), turn=0))  # type: ignore[arg-type]
        publisher.emit(turn(1))
        until(lambda: len(hub.events) == 1)
        assert publisher.dropped == 2


@pytest.mark.parametrize(
    "url", ["", "8377", "http://127.0.0.1:8377", "ws://", "ws://host:port", "ws://h:99999"]
)
def test_a_bad_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(UsageError):
        Publisher(url)


def test_a_token_that_does_not_fit_in_a_header_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="VOICETOP_TOKEN"):
        Publisher("ws://127.0.0.1:9", token="two words")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("nonsense", "it sent something that is not a frame of the protocol"),
        ('{"type":"duty","on":true}', "it closed the connection before its welcome"),
    ],
)
async def test_a_server_without_a_welcome_is_retried(answer: str, why: str) -> None:
    came = 0

    async def answers(connection: ServerConnection) -> None:
        nonlocal came
        came += 1
        await connection.recv()
        await connection.send(answer)

    async with serve(answers, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with AsyncPublisher(f"ws://127.0.0.1:{port}") as publisher:
            async with asyncio.timeout(60):
                while came < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert publisher.report.why == why


async def test_the_async_publisher_lives_in_the_loop_of_its_agent() -> None:
    with stub_hub() as hub:
        async with AsyncPublisher(hub.url, source="async") as publisher:
            for number in range(30):
                publisher.emit(turn(number))
                await asyncio.sleep(0)
        assert turns_of(hub.events) == list(range(30))
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "voicetop-publisher"]


async def test_the_async_publisher_gives_up_a_dead_hub_when_closing() -> None:
    publisher = AsyncPublisher("ws://127.0.0.1:9")
    publisher.emit(turn(1))
    assert await publisher.close(timeout=0.5) is False


def test_a_call_by_hand_emits_all_its_events() -> None:
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        with publisher.call("c1", segments={"intent": "billing"}, direction="inbound") as call:
            call.turn_start()
            call.stage("llm", "start", provider="openai")
            call.tool("lookup", "ok", duration_ms=12.0)
            call.turn(e2e_ms=840.0, latency={"llm_ttft": 500.0, "tts_ttfb": 340.0}, additive=True)
            call.update({"tier": "gold"})
            call.step("payment")
            call.turn(e2e_ms=900.0)
            call.error("tts", "timeout", message="no audio in 5 s")
            call.interruption(playout_ms=300.0)
            call.usage("llm", input_tokens=10)
            call.service("llm", "openai", "gpt-mini")
            call.outcome(True)
        until(lambda: bool(hub.events) and hub.events[-1]["type"] == "call.end")
        kinds = [event["type"] for event in hub.events]
        assert kinds[0] == "call.start"
        assert kinds.count("turn") == 2
        turns = [event for event in hub.events if event["type"] == "turn"]
        assert [event["turn"] for event in turns] == [0, 1]
        assert turns[0]["latency"] == {"llm_ttft": 500.0, "tts_ttfb": 340.0}
        assert hub.events[-1]["reason"] == "completed"
        call.end("user_hangup")
        publisher.emit(turn(9))
        until(lambda: 9 in turns_of(hub.events))
        assert [event["type"] for event in hub.events].count("call.end") == 1


def test_a_turn_is_told_at_its_first_audio_and_amended_with_its_words() -> None:
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        call = publisher.call("c1")
        call.transcript("user", "why was", final=False)
        assert call.turn_start() == 0
        call.transcript("user", "why was I charged twice?")
        assert call.turn(e2e_ms=840.0) == 0
        call.transcript("agent", "I see")
        call.amend(agent_text="I see two charges.", interrupted=True)
        call.transcript("user", "no")
        call.turn_start()
        call.turn(e2e_ms=500.0)
        call.amend(turn=0, user_text="why was I charged twice?")
        until(lambda: len(hub.events) == 11)
        words = [(event["role"], event["turn"]) for event in hub.events if event["type"] == "transcript"]
        assert words == [("user", 0), ("user", 0), ("agent", 0), ("user", 1)]
        first, second, other, third = [event for event in hub.events if event["type"] == "turn"]
        assert second | {"event_id": ""} == {
            "type": "turn", "ts": first["ts"], "event_id": "", "source": publisher.source, "call_id": "c1",
            "turn": 0, "agent_text": "I see two charges.", "interrupted": True,
        }  # fmt: skip
        assert len({event["event_id"] for event in hub.events}) == 11
        assert (other["turn"], third["turn"], third["ts"]) == (1, 0, first["ts"])


def test_turns_counted_by_the_agent_may_restart_and_are_amended_by_their_index() -> None:
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        call = publisher.call("c1")
        call.turn_start(turn=7)
        call.turn(ts=10.0, e2e_ms=1.0)
        call.turn(turn=7, user_text="hello")
        call.turn_start(turn=0)
        call.turn(ts=20.0, turn=0)
        call.tool("lookup", "start")
        call.turn(turn=7, agent_text="hi")
        assert call.turn_start() == 1
        until(lambda: len(hub.events) == 9)
        told = [(event["turn"], event["ts"]) for event in hub.events if event["type"] == "turn"]
        assert told == [(7, 10.0), (7, 10.0), (0, 20.0), (7, 10.0)]
        assert next(event["turn"] for event in hub.events if event["type"] == "tool") == 0


def test_unknown_numbers_are_left_out() -> None:
    event = Turn(
        call_id="c",
        ts=1.0,
        e2e_ms=math.sqrt(4) * float("nan"),
        latency=Latency(stt=float("inf") - float("inf"), vad=200.0),
    )
    assert json.loads(encode_event(event)) == {
        "type": "turn", "call_id": "c", "ts": 1.0, "latency": {"vad": 200.0}
    }  # fmt: skip


def test_a_removed_segment_stays_null_on_the_wire() -> None:
    event = CallUpdate(call_id="c", ts=1.0, segments={"tier": None})
    assert json.loads(encode_event(event))["segments"] == {"tier": None}


def test_read_events_are_forgotten_and_unread_ones_kept() -> None:
    outbox = Outbox("s", limit=10)
    for number in range(4):
        outbox.put(turn(number))
    outbox.next_frame(now=0.0)
    mark = outbox.sent_mark()
    outbox.put(turn(4))
    outbox.next_frame(now=1.0)
    outbox.acknowledge(mark, now=KEEP_S + 2.0)
    [frame] = outbox.resend()
    assert [event["turn"] for event in msgspec.json.decode(frame)] == [4]
    for number in range(20):
        outbox.put(turn(number))
        outbox.next_frame(now=2.0)
    assert len(msgspec.json.decode(next(outbox.resend()))) == 10
    assert outbox.dropped == 11


def test_publishing_imports_only_websockets_and_msgspec() -> None:
    program = "import sys, voicetop.publish; print(' '.join(sys.modules))"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert not loaded & {"numpy", "textual", "rich", "pipecat", "voicetop.wire.codec", "voicetop.engine"}
    third_party = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert (
        third_party - {"msgspec", "typing_extensions", "websockets", "voicetop", "__main__"}
        <= _start_up_modules()
    )


def _start_up_modules() -> set[str]:
    """The modules of an empty program: site hooks and editable finders of the environment."""
    program = "import sys; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    return {name.split(".")[0] for name in loaded.split()}


def test_errors_reach_the_wire_with_all_fields() -> None:
    with stub_hub() as hub, Publisher(hub.url) as publisher:
        publisher.emit(Error(call_id="c", ts=1.0, component="llm", category="server", http_status=500))
        until(lambda: len(hub.events) == 1)
        assert hub.events[0]["http_status"] == 500
