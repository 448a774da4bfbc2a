from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from hub.clients import publisher, send, turn
from recording.recording_samples import batch, welcome
from voicetop.cli.doctor_feed import _rules, feed_findings
from voicetop.cli.doctor_terminal import TerminalEnvironment, terminal_findings
from voicetop.cli.findings import Finding, written
from voicetop.engine.config import EngineConfig, Rule, ThresholdPair
from voicetop.hub import Hub, HubConfig
from voicetop.session import Session
from voicetop.sources import LinkState


def found(
    env: Mapping[str, str], size: tuple[int, int] = (120, 36), *, tty: bool = True, **tmux: str
) -> dict[str, Finding]:
    """What is told of a terminal; `tmux` answers by the last word asked for."""

    def answer(*words: str) -> str:
        return tmux.get(words[-1].replace("-", "_").strip("_"), "")

    return {
        finding.what: finding for finding in terminal_findings(TerminalEnvironment(env, tty, size, answer))
    }


GOOD = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LC_TERMINAL": "iTerm2"}


def test_a_good_terminal_has_nothing_to_mend() -> None:
    told = found(GOOD)
    assert not [finding for finding in told.values() if finding.level == "FIX"]
    assert "16.7 million" in told["colours"].text
    assert "OSC 9" in told["notifications"].text
    assert "iterm2" in told["copy"].text


@pytest.mark.parametrize(
    ("env", "size", "what", "said", "remedy"),
    [
        ({"TERM": "dumb"}, (120, 36), "screen", "cannot position the cursor", "TERM=xterm-256color"),
        ({}, (60, 20), "screen", "60×20", "80×24"),
        ({"LANG": "C"}, (120, 36), "characters", "ASCII only: LANG=C", "LANG=C.UTF-8"),
        ({"TMUX": "x"}, (120, 36), "tmux", "but TERM=xterm-256color", "default-terminal"),
    ],
)
def test_what_is_to_be_mended_comes_with_its_remedy(
    env: dict[str, str], size: tuple[int, int], what: str, said: str, remedy: str
) -> None:
    finding = found({**GOOD, **env}, size)[what]
    assert finding.level == "FIX"
    assert said in finding.text
    assert remedy in finding.remedy


def test_tmux_is_asked_what_it_lets_through() -> None:
    inside = {**GOOD, "TMUX": "/tmp/x", "TERM": "tmux-256color"}
    told = found(inside, V="tmux 3.3a", allow_passthrough="off", set_clipboard="external")
    assert told["tmux"] == Finding("ok", "tmux", "tmux 3.3a, allow-passthrough off")
    assert told["copy"].level == "ok"
    assert "allow-passthrough on" in told["notifications"].remedy
    told = found(inside, V="tmux 3.3a", allow_passthrough="on", set_clipboard="off")
    assert told["notifications"] == Finding("ok", "notifications", "OSC 9, through tmux")
    assert "set-clipboard" in told["copy"].remedy


def test_colours_follow_what_the_terminal_says() -> None:
    assert "none" in found({**GOOD, "NO_COLOR": "1"})["colours"].text
    plain = {"TERM": "xterm", "LANG": "C.UTF-8"}
    assert found(plain)["colours"].text.startswith("16 ")
    far = found({"TERM": "xterm-256color", "LANG": "C.UTF-8", "SSH_CONNECTION": "10.0.0.9 1 10.0.0.1 22"})
    assert "ssh doesn't pass it on" in far["colours"].remedy
    assert "10.0.0.9" in far["ssh"].text


def test_a_report_is_plain_lines_of_a_hundred_columns() -> None:
    lines = list(written("feed", [Finding("FIX", "malformed", "why " * 60, "mend " * 60)]))
    text = "\n".join(lines)
    assert text.startswith("feed\n  FIX   malformed")
    assert max(map(len, text.splitlines())) <= 100


class Told:
    """A `Source` that says what it is given, then nothing."""

    def __init__(self, *frames: bytes) -> None:
        self.link = LinkState("live", where="here")
        self._frames = frames

    async def frames(self) -> AsyncIterator[bytes]:
        for frame in self._frames:
            yield frame
        await asyncio.sleep(60)


def test_what_was_malformed_or_unknown_is_told_with_why() -> None:
    at = 1_800_000_000.0
    broken = {"type": "malformed", "ts": at, "payload": base64.b64encode(b"{]").decode(), "error": "not JSON"}
    events = [
        {"type": "call.start", "ts": at, "call_id": "c"},
        {"type": "call.strat", "ts": at, "call_id": "c"},
        {"type": "turn", "ts": at, "call_id": "c", "e2e_ms": "much"},
        broken,
        {"type": "heartbeat", "ts": at, "seq": 5},
    ]
    welcome = msgspec.json.encode(
        {"type": "welcome", "epoch": "e", "seq": 0, "server": "voicetop/0.1.0", "at": at}
    )
    batch = msgspec.json.encode({"type": "batch", "seq": 1, "at": [[at, len(events)]], "events": events})
    told = feed_findings(Told(welcome, batch), Session())
    text = "\n".join(written("feed", told))
    assert "responds in" in text
    assert "voicetop 0.1.0" in text
    text = " ".join(text.split())
    assert "1 event refused: not JSON" in text
    assert "1 value left out: `e2e_ms` is text, not a number" in text
    assert 'latest at 08:00:00Z: "much"' in text
    assert "call.strat: 1 time; did you mean 'call.start'?" in text
    assert "docs/protocol.md" in text


def told_of(*events: dict[str, object]) -> str:
    """What is told of a feed with these events, received at their own time; silent before and after."""
    at = 1_800_000_000.0
    hello = msgspec.json.encode({"type": "welcome", "epoch": "e", "seq": 0, "at": at})
    frames = [hello]
    for number, event in enumerate(events):
        stamp = at + number
        pair = [{"ts": stamp, **event}, {"type": "heartbeat", "ts": stamp, "seq": 2 * number + 1}]
        batch = {"type": "batch", "seq": 2 * number + 1, "at": [[stamp, 2]], "events": pair}
        frames.append(msgspec.json.encode(batch))
    return "\n".join(written("feed", feed_findings(Told(*frames), Session())))


def test_what_is_wrong_with_a_source_is_told_with_its_name_and_remedy() -> None:
    status = {"type": "source.status", "source": "agent-7", "dropped": 12}
    text = told_of(status, {"type": "call.start", "call_id": "c", "source": "agent-8"}, status)
    assert "FIX   source          agent-7: 12 events dropped before they could be sent" in text
    assert "agent-8: no source.status, so nobody notices when it falls silent" in text


def test_a_long_name_of_a_source_is_clipped() -> None:
    text = told_of({"type": "call.start", "call_id": "c", "source": "agent" + "x" * 500})
    assert "agent" + "x" * 30 in text
    assert "x" * 60 not in text.replace("\n", "").replace(" ", "")


def test_what_makes_a_live_feed_useless_is_told() -> None:
    of = {"call_id": "c1", "source": "a"}
    turns = [{"type": "turn", **of, "turn": number, "e2e_ms": 0.9} for number in range(6)]
    text = told_of({"type": "call.start", **of}, *turns)
    assert "have no turn.start, so nobody can be seen waiting" in text
    assert "have times that look like seconds" in text
    assert "never end" not in text


def test_a_hub_whose_publishers_have_left_has_no_problem() -> None:
    text = told_of(
        {"type": "source.status", "source": "a"}, {"type": "source.status", "source": "a", "leaving": True}
    )
    assert "note  publishers      no publisher connected: the last one left at 08:00Z" in text
    assert "FIX" not in text


@contextmanager
def hub() -> Iterator[str]:
    """A hub with an agent on it that publishes a turn all the time, on a thread of its own."""
    ready, url = threading.Event(), []

    async def serve() -> None:
        server = Hub(HubConfig(port=0, heartbeat_s=0.25), log=lambda _: None, new_session=Session)
        await server.start()
        agent = await publisher(server.url)
        url.append(server.url)
        ready.set()
        number = 0
        while not done.is_set():
            await send(agent, turn(number := number + 1))
            await asyncio.sleep(0.05)
        await agent.close()
        await server.close()

    done = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    try:
        yield url[0]
    finally:
        done.set()
        thread.join(10)


def doctor(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {
        "XDG_CONFIG_HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "voicetop", "doctor", *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)


def test_a_feed_that_answers_is_listened_to_without_a_terminal(tmp_path: Path) -> None:
    with hub() as url:
        done = doctor(tmp_path, url)
    assert "responds in" in done.stdout, done.stderr
    assert "events/s" in done.stdout
    assert "well formed" in done.stdout
    assert "textual 8" in done.stdout
    assert not done.stderr


def test_a_rule_of_the_hub_that_matches_nothing_is_named(tmp_path: Path) -> None:
    rules = tuple(
        Rule(name, "errors", ThresholdPair(0.1), ThresholdPair(0.1), where=where)
        for name, where in (("all", ()), ("good", (("intent", "billing"),)), ("bad", (("intent", "biling"),)))
    )
    session = Session(EngineConfig(rules=rules))
    events = [{"type": "call.start", "ts": 100.0, "call_id": "c", "segments": {"intent": "billing"}}]
    for frame in (welcome(0, 100.0), batch(1, 100.0, *events)):
        session.feed(frame)
    (finding,) = _rules(session)
    assert finding.level == "note"
    assert finding.text.startswith("rule 'bad' matches nothing: no call has intent=biling")
    assert finding.text.endswith("; did you mean 'billing'?")


def test_where_nothing_listens_it_says_what_to_type_and_exits_with_1(tmp_path: Path) -> None:
    done = doctor(tmp_path, "ws://127.0.0.1:9")
    assert done.returncode == 1
    assert "nothing listens there" in done.stdout
    assert "voicetop serve" in done.stdout
    assert done.stdout.rstrip().endswith("found.")
    assert doctor(tmp_path, "http://x").stdout.count("did you mean ws://x ?") == 1
