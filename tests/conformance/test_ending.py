"""A server that is told to end finishes what it has begun."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest
import tritonclient.grpc.aio as tritonclient
from asking import ones, refusal
from gates import PATIENCE, Gate
from servers import CHANNEL, Served


@pytest.fixture
async def held(fresh_server: Served, gate: Gate) -> Any:
    """A client, and three requests of which the first is executed and the others are queued; then SIGTERM."""
    async with tritonclient.InferenceServerClient(fresh_server.address, channel_args=CHANNEL) as client:
        asked = [asyncio.create_task(client.infer("single", gate.inputs(0, 1)))]
        await gate.entered()
        for x in (1, 2):
            asked.append(asyncio.create_task(client.infer("single", gate.inputs(x, 1))))
            await fresh_server.pending("single", x)
        os.kill(fresh_server.pid, signal.SIGTERM)
        yield client, asked
        gate.open(100)
        await asyncio.gather(*asked, return_exceptions=True)


async def draining(client: Any) -> tuple[str, str]:
    """The refusal of a new request, once the server has begun to end."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await client.infer("fixed", [ones(2)], client_timeout=PATIENCE)
            except tritonclient.InferenceServerException:
                return await refusal(client.infer("fixed", [ones(2)]))


async def test_requests_in_flight_are_answered_and_new_ones_are_refused(held: Any, gate: Gate) -> None:
    client, asked = held
    refused = await draining(client)
    gate.open()
    answers = await asyncio.gather(*asked)
    assert [answer.as_numpy("y").tolist() for answer in answers] == [[0], [1], [2]]
    assert refused.says("NOT_FOUND", "Request for unknown model: 'fixed' has no available versions")


async def test_a_server_that_ends_does_not_say_that_it_is_ready(held: Any) -> None:
    client, _ = held
    await draining(client)
    assert (await refusal(client.is_server_ready())).says("UNAVAILABLE", "Server exiting")


async def test_a_server_that_ends_does_not_tell_of_its_models(held: Any) -> None:
    client, _ = held
    await draining(client)
    assert (await refusal(client.is_model_ready("fixed"))).says("UNAVAILABLE", "Server not ready")
