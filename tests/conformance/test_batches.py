"""Which requests are executed together, and on how many instances."""

from __future__ import annotations

import asyncio
from typing import Any

from asking import Counts
from gates import Executed, Gate
from servers import Served


async def ask_in_order(client: Any, server: Served, gate: Gate, model: str, *shape: int, count: int) -> list[Any]:
    """Hold the model and queue requests x = 1, 2, ... one after the other: the tasks of all."""
    tasks = [asyncio.create_task(client.infer(model, gate.inputs(0, *shape)))]
    await gate.entered()
    for x in range(1, count + 1):
        tasks.append(asyncio.create_task(client.infer(model, gate.inputs(x, *shape))))
        await server.pending(model, x)
    return tasks


async def test_a_model_without_batching_executes_one_request_at_a_time_in_order(
    client: Any, server: Served, gate: Gate
) -> None:
    asked = await ask_in_order(client, server, gate, "single", 1, count=4)
    gate.open()
    await asyncio.gather(*asked)
    assert gate.executed == [Executed(x, 1, False) for x in range(5)]


async def test_requests_that_waited_are_executed_together_up_to_the_maximum(
    client: Any, server: Served, gate: Gate
) -> None:
    before = await Counts.of(client, "batched")
    asked = await ask_in_order(client, server, gate, "batched", 1, 1, count=9)
    gate.open()
    await asyncio.gather(*asked)
    assert gate.executed == [Executed(x, 1 if x in (0, 9) else 4, False) for x in range(10)]
    added = await before.since(client, "batched", 10)
    assert (added.inferences, added.executions, added.batches) == (10, 4, {1: 2, 4: 2})


async def test_each_request_of_a_batch_gets_its_own_rows(client: Any, server: Served, gate: Gate) -> None:
    asked = await ask_in_order(client, server, gate, "batched", 1, 1, count=4)
    gate.open()
    answers = await asyncio.gather(*asked)
    assert [answer.as_numpy("y").tolist() for answer in answers] == [[[x]] for x in range(5)]


async def test_a_batch_is_counted_in_rows_and_not_in_requests(client: Any, gate: Gate) -> None:
    before = await Counts.of(client, "delayed")
    await asyncio.gather(*(client.infer("delayed", gate.inputs(x, 2, 1)) for x in (1, 2)))
    assert [each.together for each in gate.executed] == [2, 2]
    added = await before.since(client, "delayed", 2)
    assert (added.inferences, added.executions, added.batches) == (4, 1, {4: 1})


async def test_a_full_batch_does_not_wait_for_the_delay(client: Any, gate: Gate) -> None:
    await asyncio.gather(*(client.infer("delayed", gate.inputs(x, 1, 1)) for x in range(1, 5)))
    assert [each.together for each in gate.executed] == [4] * 4


async def test_a_batch_of_a_preferred_size_does_not_wait_for_the_delay(client: Any, gate: Gate) -> None:
    before = await Counts.of(client, "preferred")
    await asyncio.gather(*(client.infer("preferred", gate.inputs(x, 1, 1)) for x in range(1, 4)))
    assert [each.together for each in gate.executed] == [3] * 3
    assert (await before.since(client, "preferred", 3)).batches == {3: 1}


async def test_a_batch_below_the_preferred_size_waits(client: Any, server: Served, gate: Gate) -> None:
    asked = [asyncio.create_task(client.infer("preferred", gate.inputs(x, 1, 1))) for x in (1, 2)]
    await server.pending("preferred", 2)
    for _ in range(100):
        await client.is_server_live()
    assert gate.executed == []
    await client.infer("preferred", gate.inputs(3, 1, 1))
    await asyncio.gather(*asked)
    assert [each.together for each in gate.executed] == [3] * 3


async def test_two_instances_execute_two_requests_at_once(client: Any, gate: Gate) -> None:
    asked = [asyncio.create_task(client.infer("pair", gate.inputs(0, 1, 1))) for _ in range(2)]
    await gate.entered(2)
    gate.open(2)
    await asyncio.gather(*asked)
    assert gate.executed == [Executed(0, 1, False)] * 2


async def test_a_third_request_waits_for_one_of_two_instances(client: Any, server: Served, gate: Gate) -> None:
    asked = [asyncio.create_task(client.infer("pair", gate.inputs(0, 1, 1))) for _ in range(2)]
    await gate.entered(2)
    third = asyncio.create_task(client.infer("pair", gate.inputs(3, 1, 1)))
    await server.pending("pair", 1)
    gate.open(2)
    await asyncio.gather(*asked, third)
    assert sorted(each.x for each in gate.executed) == [0, 0, 3]
