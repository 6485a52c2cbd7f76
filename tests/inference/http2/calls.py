"""Calls of a transport, as the tests make them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from scripted_peer import Line, Peer

from eventbraid.inference.transport.base import TransportError
from eventbraid.inference.transport.http2 import Http2Transport

WAY = 5.0
"""Seconds that no call of these tests takes."""


def ask(
    transport: Http2Transport, data: bytes = b"x", within: float = WAY, compression: str = ""
) -> asyncio.Task[bytes]:
    """Make a call."""
    return asyncio.create_task(transport.call("ModelInfer", [data], timeout=within, compression=compression))


async def asked_of(peer: Peer, transport: Http2Transport, data: bytes = b"x") -> tuple[Line, int, asyncio.Task[bytes]]:
    """A call that the server has whole: its connection and stream, and the call."""
    task = ask(transport, data)
    line = await peer.line()
    return line, (await line.request()).stream, task


async def failure(call: Coroutine[Any, Any, bytes] | asyncio.Task[bytes]) -> tuple[str, str]:
    """With what a call fails."""
    with pytest.raises(TransportError) as raised:
        await call
    return raised.value.code, raised.value.details


async def cancelled(task: asyncio.Task[bytes]) -> bool:
    """Cancel a call, and see it end."""
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()
