"""Queues: their bounds, their timeouts, their priorities."""

from __future__ import annotations

import asyncio
from typing import Any

from asking import Counts, refusal
from gates import PATIENCE, Gate
from servers import Served


class Queue:
    """A model that is held, and the requests that wait for it."""

    def __init__(self, client: Any, server: Served, gate: Gate, model: str) -> None:
        self.client, self.server, self.gate, self.model = client, server, gate, model
        self.asked: list[asyncio.Task[Any]] = []

    async def hold(self) -> None:
        """Let the model execute a request that ends with `let_go`."""
        self.asked.append(asyncio.create_task(self.client.infer(self.model, self.gate.inputs(0, 1, 1))))
        await self.gate.entered()

    async def add(self, **more: Any) -> asyncio.Task[Any]:
        """Queue the next of the requests x = 1, 2, ... and wait until it is queued."""
        x = len(self.asked)
        task = asyncio.create_task(self.client.infer(self.model, self.gate.inputs(x, 1, 1), **more))
        self.asked.append(task)
        await self.server.pending(self.model, x)
        return task

    async def let_go(self) -> list[int]:
        """Let all go on: the requests that were executed, in their order."""
        self.gate.open()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self.asked, return_exceptions=True)
        return [each.x for each in self.gate.executed]


async def test_a_request_beyond_the_largest_queue_is_refused_at_once(client: Any, server: Served, gate: Gate) -> None:
    queue = Queue(client, server, gate, "bounded")
    await queue.hold()
    for _ in range(3):
        await queue.add()
    refused = await refusal(client.infer("bounded", gate.inputs(9, 1, 1)))
    assert refused.says("UNAVAILABLE", "Exceeds maximum queue size")
    assert await queue.let_go() == [0, 1, 2, 3]


async def test_a_queue_that_was_full_takes_requests_again(client: Any, server: Served, gate: Gate) -> None:
    queue = Queue(client, server, gate, "bounded")
    await queue.hold()
    for _ in range(3):
        await queue.add()
    await refusal(client.infer("bounded", gate.inputs(9, 1, 1)))
    await queue.let_go()
    await client.infer("bounded", gate.inputs(4, 1, 1))
    assert [each.x for each in gate.executed] == [0, 1, 2, 3, 4]


async def test_a_request_past_its_own_timeout_is_refused(client: Any, server: Served, gate: Gate) -> None:
    queue = Queue(client, server, gate, "impatient")
    await queue.hold()
    late = asyncio.create_task(client.infer("impatient", gate.inputs(1, 1, 1), timeout=1))
    gate.open()
    refused = await refusal(late)
    assert refused.says("UNAVAILABLE", "Request timeout expired")
    assert await queue.let_go() == [0]


async def test_a_request_within_its_own_timeout_is_executed(client: Any, server: Served, gate: Gate) -> None:
    queue = Queue(client, server, gate, "impatient")
    await queue.hold()
    await queue.add(timeout=60_000_000)
    await queue.add()
    assert await queue.let_go() == [0, 1, 2]


async def test_a_request_past_its_timeout_is_a_failure_and_not_executed(
    client: Any, server: Served, gate: Gate
) -> None:
    before = await Counts.of(client, "impatient")
    queue = Queue(client, server, gate, "impatient")
    await queue.hold()
    late = asyncio.create_task(client.infer("impatient", gate.inputs(1, 1, 1), timeout=1))
    gate.open()
    await refusal(late)
    await queue.let_go()
    added = await before.since(client, "impatient", 2)
    assert (added.success, added.fail, added.executions) == (1, 1, 1)


async def test_a_requests_own_timeout_counts_only_where_the_model_allows_it(
    client: Any, server: Served, gate: Gate
) -> None:
    queue = Queue(client, server, gate, "strict")
    await queue.hold()
    await queue.add(timeout=1)
    assert await queue.let_go() == [0, 1]


async def test_a_request_past_its_timeout_is_executed_all_the_same_where_the_policy_is_to_delay(
    client: Any, server: Served, gate: Gate
) -> None:
    queue = Queue(client, server, gate, "patient")
    await queue.hold()
    await queue.add(timeout=1)
    await queue.add()
    assert sorted(await queue.let_go()) == [0, 1, 2]


async def test_requests_are_executed_by_their_priority_and_then_in_order(
    client: Any, server: Served, gate: Gate
) -> None:
    queue = Queue(client, server, gate, "ranked")
    await queue.hold()
    for priority in (3, 2, 0, 1, 3, 1, 2):  # 0 is the default, here 2
        await queue.add(priority=priority)
    assert await queue.let_go() == [0, 4, 6, 2, 3, 7, 1, 5]
