"""The HTTP/2 transport on both event loops, beside a server that does what a test says; nothing may be left over."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop

sys.path.insert(0, str(Path(__file__).parent))
from scripted_peer import Peer

from eventbraid.inference.servers.given import Server
from eventbraid.inference.transport.http2 import Http2Transport


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test of a coroutine runs on both."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def nothing_left_on_the_loop() -> AsyncIterator[None]:
    """Fail a test that leaves a timer, or of whose tasks and futures an error was never seen."""
    loop, complaints = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    await asyncio.sleep(0)
    gc.collect()
    assert not complaints
    timers = [timer for timer in getattr(loop, "_scheduled", ()) if not timer.cancelled()]  # uvloop does not tell
    assert not timers


@pytest.fixture
async def peer(nothing_left_on_the_loop: None) -> AsyncIterator[Peer]:
    """A server that the test is."""
    async with Peer() as made:
        yield made


@pytest.fixture
async def transport(peer: Peer) -> AsyncIterator[Http2Transport]:
    """A transport to it."""
    made = Http2Transport(Server(peer.address))
    yield made
    await made.aclose()
