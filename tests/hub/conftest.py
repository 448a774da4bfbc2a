from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from hub.clients import CountingSession
from voicetop.hub import Hub, HubConfig

StartHub = Callable[..., Awaitable[Hub]]


@pytest.fixture
async def start_hub() -> AsyncIterator[StartHub]:
    """Starts hubs on free ports, with counting sessions, and closes them at the end."""
    hubs: list[Hub] = []

    async def start(*, new_session: Callable[[], Any] = CountingSession, **options: Any) -> Hub:
        log: list[str] = options.pop("log", [])
        hub = Hub(HubConfig(**{"port": 0, **options}), log=log.append, new_session=new_session)
        await hub.start()
        hubs.append(hub)
        return hub

    yield start
    for hub in hubs:
        await hub.close()
