from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hub.clients import CountingSession, Watcher, publisher, send, turn
from hub.conftest import StartHub
from voicetop.errors import UsageError
from voicetop.hub import Hub, HubConfig, Token
from voicetop.hub.config import Role, read_tokens
from voicetop.hub.privacy import without_transcripts

TOKENS = (
    Token("publisher", "publisher-secret"),
    Token("viewer", "the-viewers-secret"),
    Token("operator", "operators-secret"),
    Token("watcher", "the-watchers-own-secret"),
)
CERTIFICATE = str(Path(__file__).with_name("localhost-cert.pem"))
KEY = str(Path(__file__).with_name("localhost-key.pem"))
SECRET = {token.role: token.secret for token in TOKENS}


@pytest.mark.parametrize("token", ["", "wrong-wrong-wrong-wrong", "publisher-secre"])
async def test_unknown_tokens_are_rejected(start_hub: StartHub, token: str) -> None:
    hub = await start_hub(tokens=TOKENS)
    for url in (hub.url, f"{hub.url}/publish"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, proxy=None, additional_headers={"Authorization": f"Bearer {token}"})
        assert refused.value.response.status_code == 401
        assert refused.value.response.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_in_the_url_is_ignored(start_hub: StartHub) -> None:
    hub = await start_hub(tokens=TOKENS)
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{hub.url}/?token={SECRET['viewer']}", proxy=None)
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("role", ["viewer", "operator", "watcher"])
async def test_only_a_publisher_token_may_publish(start_hub: StartHub, role: Role) -> None:
    hub = await start_hub(tokens=TOKENS)
    with pytest.raises(InvalidStatus) as refused:
        await publisher(hub.url, SECRET[role])
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("token", "role", "may"),
    [
        ("viewer", "viewer", True),
        ("viewer", "operator", False),
        ("viewer", "watcher", False),
        ("viewer", "publisher", False),
        ("operator", "operator", True),
        ("operator", "viewer", True),
        ("operator", "publisher", False),
        ("watcher", "watcher", True),
        ("watcher", "operator", False),
    ],
)
async def test_a_token_grants_its_role_and_implied_roles(
    start_hub: StartHub, token: Role, role: Role, may: bool
) -> None:
    hub = await start_hub(tokens=TOKENS)
    watcher = await Watcher.open(hub.url, SECRET[token], role=role)
    if may:
        await watcher.read_until(lambda it: bool(it.epoch))
        await watcher.connection.close()
        return
    with pytest.raises(ConnectionClosed) as closed:
        await watcher.read()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


@pytest.mark.parametrize(
    ("options", "token", "roles"),
    [
        ({"tokens": TOKENS}, "viewer", "viewer"),
        ({"tokens": TOKENS}, "operator", "viewer, operator"),
        ({"tokens": TOKENS}, "watcher", "viewer, watcher"),
        ({}, "", "publisher, viewer, operator, watcher"),
        ({"transcripts_for_viewers": False}, "", "publisher, viewer"),
    ],
)
async def test_accepted_clients_receive_their_roles(
    start_hub: StartHub, options: dict[str, Any], token: str, roles: str
) -> None:
    hub = await start_hub(**options)
    headers = {"Authorization": f"Bearer {SECRET[token]}"} if token else None  # type: ignore[index]
    async with connect(hub.url, proxy=None, additional_headers=headers) as connection:
        assert connection.response is not None
        assert connection.response.headers["Voicetop-Roles"] == roles


async def test_operator_acts_enter_the_feed_and_viewer_acts_are_refused(start_hub: StartHub) -> None:
    hub = await start_hub(tokens=TOKENS)
    act = {"type": "operator", "ts": 1.0, "act": "ack", "by": "noor", "target": "i1", "event_id": "a1"}
    operator = await Watcher.open(hub.url, SECRET["operator"], role="operator")
    viewer = await Watcher.open(hub.url, SECRET["viewer"])
    await operator.connection.send(msgspec.json.encode(act), text=True)
    await viewer.read_until(lambda it: "a1" in it.ids)
    assert viewer.events == [act]
    await viewer.connection.send(msgspec.json.encode(act), text=True)
    with pytest.raises(ConnectionClosed) as closed:
        await viewer.read_until(lambda _: False)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.reason == "only an operator may act, and this connection is a viewer's"
    await operator.connection.close()


async def test_an_operator_may_send_only_acts(start_hub: StartHub) -> None:
    hub = await start_hub(tokens=TOKENS)
    operator = await Watcher.open(hub.url, SECRET["operator"], role="operator")
    await send(operator.connection, turn(1))
    with pytest.raises(ConnectionClosed) as closed:
        await operator.read_until(lambda _: False)
    assert closed.value.rcvd is not None
    assert "'operator' events only" in closed.value.rcvd.reason


async def test_a_publisher_may_not_send_acts_if_there_are_tokens(start_hub: StartHub) -> None:
    hub = await start_hub(tokens=TOKENS)
    viewer = await Watcher.open(hub.url, SECRET["viewer"])
    agent = await publisher(hub.url, SECRET["publisher"])
    await send(agent, {"type": "operator", "ts": 1.0, "act": "silence", "by": "nobody"}, turn(1))
    await viewer.read_until(lambda it: "e1" in it.ids)
    assert [event["type"] for event in viewer.events] == ["malformed", "turn"]
    for each in (viewer.connection, agent):
        await each.close()


async def test_viewers_can_be_denied_transcripts_in_batches_states_and_malformed_events(
    start_hub: StartHub,
) -> None:
    sessions: list[CountingSession] = []
    seen: list[bytes] = []

    class Reading(CountingSession):
        def feed(self, frame: bytes) -> None:
            super().feed(frame)
            if self is sessions[-1]:
                seen.append(frame)

    def new_session() -> CountingSession:
        sessions.append(Reading())
        return sessions[-1]

    hub = await start_hub(tokens=TOKENS, transcripts_for_viewers=False, new_session=new_session)
    viewer = await Watcher.open(hub.url, SECRET["viewer"])
    operator = await Watcher.open(hub.url, SECRET["operator"], role="operator")
    agent = await publisher(hub.url, SECRET["publisher"])
    spoken = {"user_text": "SECRET", "agent_text": "SECRET", "transcript": "SECRET"}
    for act, text in (("note", "SECRET"), ("runbook_tick", "SECRET"), ("runbook_tick", "-3")):
        note = {"type": "operator", "ts": 1.0, "act": act, "by": "ana", "target": "i1", "text": text}
        await operator.connection.send(msgspec.json.encode(note), text=True)
    await operator.read_until(lambda it: len(it.events) == 3)
    call = {"ts": 1.0, "call_id": "c"}
    await send(agent, {"type": "call.outcome", **call, "evaluator": "judge", "reason": "SECRET"})
    await send(
        agent, {"type": "error", **call, "component": "tool", "category": "server", "message": "SECRET"}
    )
    await send(agent, turn(1, **spoken, latency={"llm_ttft": 12.5}))
    await agent.send('{"type":"turn","ts":3,"call_id":"c","event_id":"u","user\\u005ftext":"SECRET"}')
    await send(agent, {"type": "words", "ts": 1.0, "event_id": "w", "said": "SECRET"})
    await send(agent, {"type": "transcript", **call, "role": "user", "text": "SECRET"})
    await send(agent, {"type": "turn", "ts": "SECRET"})
    await send(
        agent,
        {"type": "tool", "ts": 1.0, "call_id": "c", "name": "n", "state": "ok", "arguments": "SECRET"},
        turn(2),
    )
    for watcher in (viewer, operator):
        await watcher.read_until(lambda it: "e2" in it.ids)
    assert b"SECRET" in msgspec.json.encode(operator.events)
    assert b"SECRET" not in msgspec.json.encode(viewer.events)
    assert [event["type"] for event in viewer.events] == [event["type"] for event in operator.events]
    acts, roles = viewer.events[:3], viewer.events[5]
    assert [(act["by"], act["target"], act.get("text")) for act in acts] == [
        ("ana", "i1", None),
        ("ana", "i1", None),
        ("ana", "i1", "-3"),
    ]
    assert roles == turn(1, latency={"llm_ttft": 12.5})
    assert (viewer.seq > 0, viewer.ids) == (True, operator.ids)
    assert seen
    assert not any(b"SECRET" in frame for frame in seen)
    late = await Watcher.open(hub.url, SECRET["viewer"])
    await late.read_until(lambda it: "e2" in it.ids)
    for each in (viewer.connection, operator.connection, late.connection, agent):
        await each.close()


def test_an_alert_named_after_an_evaluators_text_is_the_same_without_it() -> None:
    outcome = {"type": "call.outcome", "ts": 1.0, "call_id": "c", "compliance_violation": True}
    roles = [{**outcome, "reason": "SECRET one"}, {**outcome, "reason": "SECRET two"}] * 2
    named = {**outcome, "reason": "SECRET", "label": "no consent"}
    frame = {"type": "batch", "seq": 1, "at": [[1.0, 5]], "events": [*roles, named]}
    events = msgspec.json.decode(without_transcripts(msgspec.json.encode(frame)))["events"]
    reasons = [event.get("reason") for event in events]
    assert reasons[0] == reasons[2] != reasons[1] == reasons[3]
    assert events[4] == {**outcome, "label": "no consent"}
    assert "SECRET" not in str(events)


def test_a_number_that_nobody_can_hold_costs_viewers_without_transcripts_no_event() -> None:
    turn = b'{"type":"turn","ts":1.0,"call_id":"c","e2e_ms":900,"mine":1e999,"user_text":"SECRET"}'
    frame = b'{"type":"batch","seq":1,"at":[[1.0,1]],"events":[%b]}' % turn
    [event] = msgspec.json.decode(without_transcripts(frame))["events"]
    assert event == {"type": "turn", "ts": 1.0, "call_id": "c", "e2e_ms": 900}


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({}, "--cert and --key and --token-file"),
        ({"tokens": TOKENS}, "--cert and --key,"),
        ({"cert": "hub.pem", "key": "hub.key"}, "--token-file"),
    ],
)
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "hub.internal"])
async def test_remote_access_requires_tls_and_tokens(
    host: str, options: dict[str, object], missing: str
) -> None:
    config = msgspec.structs.replace(HubConfig(host=host, port=0), **options)
    with pytest.raises(UsageError) as refused:
        await Hub(config, new_session=CountingSession).start()
    assert missing in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_tls_with_a_certificate_and_its_key(start_hub: StartHub) -> None:
    hub = await start_hub(host="localhost", cert=CERTIFICATE, key=KEY)
    assert hub.url == f"wss://localhost:{hub.port}"
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    async with connect(hub.url, ssl=trusting, proxy=None) as client:
        await client.send('{"type":"hello"}')
        assert '"type":"welcome"' in str(await client.recv())


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("", "hub.key", "takes both"),
        ("nowhere.pem", "hub.key", "no file"),
        (__file__, __file__, "its certificate and key don't match"),
    ],
)
async def test_an_invalid_certificate_is_one_clear_line(cert: str, key: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        await Hub(HubConfig(port=0, cert=cert, key=key), new_session=CountingSession).start()


def test_a_token_file_has_one_role_and_token_per_line(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# who may what\n\nviewer   the-viewers-secret  # noor\npublisher publisher-secret\n")
    assert read_tokens(str(file)) == (TOKENS[1], TOKENS[0])
    assert "secret" not in repr(read_tokens(str(file))[0].secret[:0]) + repr(TOKENS[0]).replace(
        "secret=…", ""
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "contains no tokens"),
        ("boss the-bosses-secret-1", r"line 1: unknown role 'boss'"),
        ("\nviewer", "line 2: 1 words"),
        ("viewer short", "16 or more"),
        ("viewer tökentökentöken", "ASCII"),
    ],
)
def test_a_bad_token_line_is_reported_with_its_number(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "tokens"
    file.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_tokens(str(file))


def test_a_missing_token_file_is_one_clear_line() -> None:
    with pytest.raises(UsageError, match=r"nowhere: cannot read the tokens"):
        read_tokens("nowhere")
