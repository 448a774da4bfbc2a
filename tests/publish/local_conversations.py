"""Conversations with the local agent, all at once in one process: their events, and what really happened.

python -m publish.local_conversations REPORT
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from pipecat.frames.frames import BotBackchannelFrame, EndFrame, TTSSpeakFrame
from pipecat.turns.user_start import MinWordsUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy, TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

from publish.local_agent import Answers, Judge, LanguageModel, LocalAgent, Log, Sounds
from voicetop.publish.pipecat import VoicetopObserver
from voicetop.wire.events import Event

HOUSE = (
    "It is a quiet house by the river.",
    "It has a terrace.",
    "You can see the hills from there, and the old town with its towers, and in summer the swallows above the roofs.",
)
GARDEN = (
    "There is an old garden.",
    "It has many apple trees, two pears, a very long wall along the river, and at its far end a small pond with frogs.",
    "Nobody has ever counted them.",
)
ANSWERS: Answers = {
    "tell me about the house": " ".join(HOUSE),
    "what does it cost now": ("work", "It costs ten."),
    "please book it for me": ("die", "That did not work."),
    "tell me about the garden": " ".join(GARDEN),
    "stop it right now": "All right.",
    "look it up for me": ("hang", "It took too long."),
    "find the other one please": ("stall", "Never heard."),
    "forget about that one": "Fine.",
    "i have a very long story to tell you": "I see.",
    "and then it went on": "Go on.",
    "i would like a table for two": "Done.",
    "keep me waiting please": ("stall", "Never heard."),
}


@dataclass
class Desk:
    """Where all calls of the process are published."""

    events: list[Any] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.events.append(event)


Talk = Callable[[LocalAgent], Coroutine[Any, Any, None]]


async def talk_on(desk: Desk, url: str, name: str, talk: Talk, **options: Any) -> Log:
    agent = LocalAgent(url, VoicetopObserver(desk, name), **options)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(agent.worker)

    async def caller() -> None:
        await agent.connect()
        await talk(agent)

    async with asyncio.timeout(240):
        await asyncio.gather(runner.run(), caller())
    return agent.log


async def hang_up(agent: LocalAgent) -> None:
    await agent.worker.queue_frame(EndFrame(reason="caller_hangup"))


# The conversations.


def min_words(_: Sounds) -> UserTurnStrategies:
    return UserTurnStrategies(
        start=[MinWordsUserTurnStartStrategy(min_words=3)],
        stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.3)],
    )


async def talk_of_everything(agent: LocalAgent) -> None:
    await agent.worker.queue_frame(TTSSpeakFrame("Welcome."))
    await agent.hear_out("Welcome.")
    await agent.say("[cough]", 0.4)
    await asyncio.sleep(2)
    await agent.say("tell me about the house")
    await agent.hear(HOUSE[1])
    await agent.say("mhm", 0.4)
    await agent.hear_out(HOUSE[2])
    await agent.say("what does it cost now")
    await agent.hear_out("It costs ten.")
    await agent.say("please book it for me")
    await agent.hear_out("That did not work.")
    await agent.say("tell me about the garden")
    await agent.hear(GARDEN[1])
    await agent.say("stop it right now", 0.8)
    await agent.hear_out("All right.")
    await agent.say("look it up for me")
    await agent.hear_out("It took too long.")
    await hang_up(agent)


async def talk_over_each_other(agent: LocalAgent) -> None:
    await agent.say("find the other one please")
    await agent.run("stall")
    await agent.say("forget about that one")
    await agent.hear_out("Fine.")
    speech = asyncio.create_task(agent.say("i have a very long story to tell you", 3.0))
    await asyncio.sleep(1.2)
    await agent.worker.queue_frame(BotBackchannelFrame("Mm-hmm."))
    await speech
    await agent.hear_out("I see.")
    speech = asyncio.create_task(agent.say("and then it went on", 3.0))
    await asyncio.sleep(1.2)
    await agent.worker.queue_frame(TTSSpeakFrame("Excuse me."))
    await speech
    await agent.hear_out("Go on.")
    await hang_up(agent)


def by_words(_: Sounds) -> UserTurnStrategies:
    return UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.3)])


async def talk_without_vad(agent: LocalAgent) -> None:
    await agent.say("what does it cost now")
    await agent.hear_out("It costs ten.")
    await agent.say("tell me about the garden")
    await agent.hear(GARDEN[1])
    await agent.say("stop it right now")
    await agent.hear_out("All right.")
    await hang_up(agent)


def smart(sounds: Sounds) -> UserTurnStrategies:
    return UserTurnStrategies(stop=[TurnAnalyzerUserTurnStopStrategy(turn_analyzer=Judge(sounds, ("like",)))])


async def talk_with_pauses(agent: LocalAgent) -> None:
    await agent.say("i would like")
    await asyncio.sleep(0.8)
    await agent.say("a table for two")
    await agent.hear_out("Done.")
    await agent.say("tell me about the house")
    await agent.hear(HOUSE[1])
    await agent.say("stop it right now")
    await agent.hear_out("All right.")
    await hang_up(agent)


async def wait_in_vain(agent: LocalAgent) -> None:
    await agent.say("keep me waiting please")
    await agent.run("stall")
    await asyncio.sleep(0.5)
    await agent.worker.cancel()


TALKS: dict[str, tuple[Talk, dict[str, Any]]] = {
    "everything": (talk_of_everything, {"strategies": min_words}),
    "over": (talk_over_each_other, {"strategies": min_words}),
    "no-vad": (talk_without_vad, {"strategies": by_words, "vad": False, "shadow": "beside voice"}),
    "smart": (talk_with_pauses, {"strategies": smart, "shadow": "before voice", "metrics": False}),
    "vain": (wait_in_vain, {"strategies": by_words}),
}


async def worst_lag() -> float:
    """How late this process was at worst, on a machine with other things to do; ends when it is cancelled."""
    worst = 0.0
    try:
        while True:
            due = time.monotonic() + 0.02
            await asyncio.sleep(0.02)
            worst = max(worst, time.monotonic() - due)
    except asyncio.CancelledError:
        return worst


async def hold_all() -> bytes:
    """All calls: their events and their logs, by call, as JSON."""
    desk = Desk()
    async with LanguageModel(ANSWERS).serve() as url:
        held = {
            name: asyncio.create_task(talk_on(desk, url, name, talk, **options))
            for name, (talk, options) in TALKS.items()
        }
        lag = asyncio.create_task(worst_lag())
        await asyncio.wait(held.values(), return_when=asyncio.FIRST_EXCEPTION)
        for task in held.values():
            if task.done() and (error := task.exception()):
                traceback.print_exception(error)
                os._exit(1)  # the other calls may take long to end
        logs = {name: task.result() for name, task in held.items()}
        lag.cancel()
    events = {name: [each for each in desk.events if each.call_id == name] for name in TALKS}
    return msgspec.json.encode({"events": events, "logs": logs, "lag_s": await lag})


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(asyncio.run(hold_all()))
