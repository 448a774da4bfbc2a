"""A voice agent that runs anywhere and fails on request: shows a real call in voicetop.

voicetop serve                                         in one terminal
voicetop                                               in another
python agent.py --inject barge-in,llm-500,tool-failure,tts-crash
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
import uuid
from pathlib import Path

from caller import Caller, Ears, Telephone
from llm_stub import MODEL, LanguageModelStub
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import EndFrame, LLMRunFrame
from pipecat.observers.user_bot_latency_observer import UserBotLatencyObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.turns.user_stop.speech_timeout_user_turn_stop_strategy import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner
from plan import INJECTIONS, SENTENCES, UNSPEAKABLE, Plan
from speech import EspeakTTS, PocketSphinxSTT

from voicetop.publish.pipecat import VoicetopObserver


async def check_table(params: FunctionCallParams, people: int, time: str) -> None:  # noqa: D417
    """Check for a free table.

    Args:
        people: number of guests
        time: HH:MM

    """
    await asyncio.sleep(0.2)
    await params.result_callback({"free": True, "people": people, "time": time})


async def charge_card(params: FunctionCallParams, amount: float) -> None:  # noqa: ARG001, D417
    """Charge the card.

    Args:
        amount: dollars

    """
    await asyncio.sleep(0.1)
    raise RuntimeError(f"the payment gateway refuses {amount} dollars (injected)")


def build(telephone: Telephone, llm_url: str, observers: list[object]) -> tuple[PipelineWorker, LLMContext]:
    """The pipeline: caller → speech recognition → language model → speech → caller."""
    context = LLMContext(tools=[check_table, charge_card])
    listening = LLMUserAggregatorParams(
        vad_analyzer=SileroVADAnalyzer(params=VADParams(stop_secs=0.2)),
        user_turn_strategies=UserTurnStrategies(
            stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.4)]
        ),
    )
    user, assistant = LLMContextAggregatorPair(context, user_params=listening)
    llm = OpenAILLMService(
        api_key="none",
        base_url=llm_url,
        settings=OpenAILLMService.Settings(model=MODEL, system_instruction="Be kind."),
    )
    parts = [
        telephone.input(),
        PocketSphinxSTT(SENTENCES),
        user,
        llm,
        EspeakTTS(crash_on=UNSPEAKABLE),
        telephone.output(),
        assistant,
    ]
    worker = PipelineWorker(
        Pipeline(parts),
        params=PipelineParams(enable_metrics=True, enable_usage_metrics=True),
        observers=observers,
    )
    return worker, context


async def worst_lag_ms() -> float:
    """How late a busy machine made this process at worst, in ms; ends when it is cancelled."""
    worst = 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            due = time.monotonic() + 0.02
            await asyncio.sleep(0.02)
            worst = max(worst, time.monotonic() - due)
    return worst * 1000.0


async def run(args: argparse.Namespace) -> None:
    """Run one call from greeting to goodbye."""
    plan = Plan.of(args.inject)
    telephone, ears, measured = Telephone(), Ears(), []
    pipecats_own = UserBotLatencyObserver()

    @pipecats_own.event_handler("on_latency_measured")
    async def on_latency_measured(_observer: object, seconds: float) -> None:
        measured.append(round(seconds * 1000.0, 1))

    async with LanguageModelStub(plan).serve() as llm_url:
        observer = VoicetopObserver(
            args.url, args.call_id, {"intent": "booking", "tier": "gold", "version": "1.4.2"}
        )
        worker, context = build(telephone, llm_url, [observer, pipecats_own, ears])
        caller = Caller(telephone, ears, plan)

        async def call() -> None:
            await asyncio.sleep(0.5)
            await caller.connect()
            context.add_message({"role": "developer", "content": "Greet the caller."})
            await worker.queue_frames([LLMRunFrame()])
            await caller.talk()
            await worker.queue_frame(EndFrame(reason=args.reason))

        runner = WorkerRunner(handle_sigint=False, handle_sigterm=True)
        await runner.add_workers(worker)
        conversation = asyncio.create_task(call())
        watching = asyncio.create_task(worst_lag_ms())
        await asyncio.wait_for(runner.run(), 120)
        watching.cancel()
        if not conversation.done():  # stopped in the middle of the call
            conversation.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await conversation
    report = {
        "call_id": args.call_id,
        "said": [exchange.says for exchange in plan.exchanges],
        "measured_ms": measured,
        "lag_ms": round(await watching, 1),
    }
    if args.report:
        args.report.write_text(json.dumps(report))
    print(
        f"call {args.call_id} is over; Pipecat itself measured {measured} ms, late by {report['lag_ms']} at most"
    )


def injections(text: str) -> list[str]:
    """Comma-separated names of failures, in the order in which they happen."""
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in INJECTIONS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(INJECTIONS)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description="A real call through Pipecat with local parts only.")
    parser.add_argument("--url", default="ws://127.0.0.1:8377", help="the hub (default: %(default)s)")
    parser.add_argument("--call-id", default=f"local-{uuid.uuid4().hex[:8]}")
    parser.add_argument(
        "--inject", type=injections, default=[], help=f"any of {', '.join(INJECTIONS)}, in any order"
    )
    parser.add_argument("--reason", default="caller_hangup", help="the reason that the call ends with")
    parser.add_argument("--report", type=Path, help="write what was said, and what Pipecat measured, as JSON")
    parser.add_argument("--verbose", action="store_true", help="Pipecat's own log")
    args = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="DEBUG" if args.verbose else "ERROR")
    asyncio.run(run(args))


if __name__ == "__main__":
    main()
