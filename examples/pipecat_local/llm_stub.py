"""A stub for a language model: an OpenAI-compatible streaming endpoint on loopback that follows the plan."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from plan import GREETING, Plan

MODEL = "stub-gpt-mini"
ARGUMENTS = {"check_table": {"people": 2, "time": "19:00"}, "charge_card": {"amount": 20}}


class LanguageModelStub:
    """Answers each request as the current exchange of the plan requires."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._calls = 0

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Listen on a free port; yields the base URL."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            await runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        exchange = self._plan.now
        if exchange is not None and exchange.injection == "llm-500":
            error = {"message": "The server had an error", "type": "server_error", "code": "internal"}
            return web.json_response({"error": error}, status=500)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(0.15)
        after_tool = body["messages"][-1]["role"] == "tool"
        if exchange is not None and exchange.tool and not after_tool:
            await self._call_tool(response, exchange.tool)
        else:
            await self._say(response, GREETING if exchange is None else exchange.answer)
        tokens = sum(len(str(message.get("content") or "")) for message in body["messages"]) // 4 + 20
        usage = {"prompt_tokens": tokens, "completion_tokens": 12, "total_tokens": tokens + 12}
        await _send(response, choices=[], usage=usage)
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _say(self, response: web.StreamResponse, text: str) -> None:
        for word in text.split(" "):
            await _delta(response, {"role": "assistant", "content": f"{word} "})
            await asyncio.sleep(0.01)
        await _delta(response, {}, finish="stop")

    async def _call_tool(self, response: web.StreamResponse, name: str) -> None:
        self._calls += 1
        function = {"name": name, "arguments": json.dumps(ARGUMENTS[name])}
        call = {"index": 0, "id": f"call_{self._calls}", "type": "function", "function": function}
        await _delta(response, {"role": "assistant", "tool_calls": [call]})
        await _delta(response, {}, finish="tool_calls")


async def _delta(response: web.StreamResponse, delta: dict[str, Any], finish: str | None = None) -> None:
    await _send(response, choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


async def _send(response: web.StreamResponse, **fields: Any) -> None:
    chunk = {"id": "stub", "object": "chat.completion.chunk", "created": 0, "model": MODEL, **fields}
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
