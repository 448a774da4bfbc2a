"""Cases 09 and 16 and `amp.py`: agents that send more than a frame holds, or nothing that is right."""

from __future__ import annotations

import asyncio
import runpy
import sys
import time

import pytest

from cases.case_files import case
from hub.clients import CountingSession, Watcher, publisher, until
from publish.tcp_proxy import tcp_proxy
from voicetop import AsyncPublisher
from voicetop.engine.snapshot import View
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session


async def test_09_a_tool_that_answers_25_kb_leaves_the_call_not_in_its_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, session = case("09-publisher-long-result.py"), Session()
    hub = Hub(HubConfig(port=0), log=lambda _: None, new_session=lambda: session)
    await hub.start()
    monkeypatch.setattr(sys, "argv", [str(script), hub.url])
    monkeypatch.setattr(time, "sleep", lambda _: None)  # what it waits for, closing waits for, too
    await asyncio.to_thread(runpy.run_path, str(script))
    assert capsys.readouterr().out.splitlines() == ["dropped 0", "True"]
    await until(lambda: session.engine.roster.find("long-result-call") is not None)
    await until(lambda: not session.engine.roster.live)
    seen = session.snapshot(View(call_id="long-result-call")).detail
    assert seen is not None
    [turn] = seen.turns
    assert (turn.e2e_ms, len(turn.agent_text), seen.row.stage) == (900, 20_000, "")
    assert "lookup ok" in [item.text for item in turn.items]
    await hub.close()


async def test_16_what_is_sent_again_after_a_broken_connection_arrives_and_so_does_what_follows() -> None:
    case("16-resend-loop.py")
    hub = Hub(HubConfig(port=0), log=lambda _: None, new_session=CountingSession)
    await hub.start()
    with tcp_proxy(hub.port) as proxy:
        agent = AsyncPublisher(proxy.url)
        call = agent.call("resend-py-1")
        for _ in range(450):
            call.turn_start()
            call.turn(e2e_ms=800.0, agent_text="好" * 6_000)
        await until(lambda: hub.feed.validator.events >= 901)
        for said in (903, 905):
            proxy.cut()
            await until(lambda: not agent.report.connected)
            call.turn_start()
            call.turn(e2e_ms=500.0)
            await until(lambda said=said: hub.feed.validator.events >= said)
        assert await agent.close(timeout=30)
    await hub.close()


async def test_amp_a_frame_of_malformed_events_silences_no_heartbeat() -> None:
    case("amp.py")
    hub = Hub(HubConfig(port=0), log=lambda _: None, new_session=CountingSession)
    await hub.start()
    watcher, agent = await Watcher.open(hub.url, role="viewer"), await publisher(hub.url)
    await agent.send('{"type":"hello","role":"publisher","source":"cases","protocol":1}')
    await agent.send("[" + ",".join(["{}"] * 1_000_000) + "]")
    await watcher.read_until(lambda it: any(event["type"] == "malformed" for event in it.events))
    beats = len(watcher.frames)
    await watcher.read_until(lambda it: len(it.frames) >= beats + 4)
    assert hub.feed.validator.malformed <= 1_002
    for connection in (watcher.connection, agent):
        await connection.close()
    await hub.close()
