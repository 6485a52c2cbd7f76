"""Requests that are cancelled, or past the deadline of their call."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import grpc
import pytest
from asking import raw, refusal
from gates import Executed, Gate
from servers import Served


async def give_up(client: Any, *asked: asyncio.Task[Any]) -> None:
    """Cancel calls, and see to it that the server has heard of that."""
    for each in asked:
        each.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    for _ in range(20):
        await client.is_server_live()


def wanted(executed: list[Executed]) -> list[int]:
    """The requests that the model executed without being told that nobody waits for them."""
    return sorted(each.x for each in executed if not each.cancelled)


@pytest.mark.parametrize(("model", "shape"), [("single", (1,)), ("batched", (1, 1)), ("ranked", (1, 1))])
async def test_a_queued_request_that_is_cancelled_is_not_executed_or_the_model_is_told(
    client: Any, server: Served, gate: Gate, model: str, shape: tuple[int, ...]
) -> None:
    asked = [asyncio.create_task(client.infer(model, gate.inputs(0, *shape)))]
    await gate.entered()
    for x in (1, 2, 3):
        asked.append(asyncio.create_task(client.infer(model, gate.inputs(x, *shape))))
        await server.pending(model, x)
    await give_up(client, asked[1], asked[3])
    gate.open()
    await asyncio.gather(asked[0], asked[2])
    await client.infer(model, gate.inputs(4, *shape))
    assert wanted(gate.executed) == [0, 2, 4]


@pytest.mark.parametrize(("model", "shape"), [("single", (1,)), ("batched", (1, 1))])
async def test_a_queued_request_past_its_deadline_is_not_executed_or_the_model_is_told(
    client: Any, gate: Gate, model: str, shape: tuple[int, ...]
) -> None:
    held = asyncio.create_task(client.infer(model, gate.inputs(0, *shape)))
    await gate.entered()
    status, _ = await refusal(client.infer(model, gate.inputs(1, *shape), client_timeout=0.05))
    assert status == "DEADLINE_EXCEEDED"
    await give_up(client)
    gate.open()
    await held
    await client.infer(model, gate.inputs(2, *shape))
    assert wanted(gate.executed) == [0, 2]


async def test_a_model_is_told_that_the_request_that_it_executes_was_cancelled(client: Any, gate: Gate) -> None:
    held = asyncio.create_task(client.infer("single", gate.inputs(0, 1)))
    await gate.entered()
    await give_up(client, held)
    gate.open()
    await client.infer("single", gate.inputs(1, 1))
    assert gate.executed == [Executed(0, 1, True), Executed(1, 1, False)]


async def test_others_of_a_batch_are_answered_when_one_is_cancelled(client: Any, server: Served, gate: Gate) -> None:
    held = asyncio.create_task(client.infer("batched", gate.inputs(0, 1, 1)))
    await gate.entered()
    asked = []
    for x in (1, 2, 3):
        asked.append(asyncio.create_task(client.infer("batched", gate.inputs(x, 1, 1))))
        await server.pending("batched", x)
    await give_up(client, asked[1])
    gate.open()
    answers = await asyncio.gather(held, asked[0], asked[2])
    assert [answer.as_numpy("y").tolist() for answer in answers] == [[[0]], [[1]], [[3]]]


async def test_a_stream_that_is_cancelled_gives_up_its_requests(client: Any, stub: Any, gate: Gate) -> None:
    folder = str(gate.folder).encode()
    contents = [bytes(4), struct.pack("<I", len(folder)) + folder]
    request = raw("single", {"x": ("FP32", [1]), "folder": ("BYTES", [1])}, contents)
    call = stub.ModelStreamInfer()
    await call.write(request)
    await gate.entered()
    call.cancel()
    await give_up(client)
    gate.open()
    await client.infer("single", gate.inputs(1, 1))
    assert gate.executed == [Executed(0, 1, True), Executed(1, 1, False)]
    assert await call.code() is grpc.StatusCode.CANCELLED
