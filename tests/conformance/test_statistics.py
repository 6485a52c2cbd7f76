"""Statistics: they add up, whatever became of the requests."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from asking import Counts, given, ones, refusal
from gates import Gate


async def test_requests_and_their_rows_are_counted(client: Any) -> None:
    before = await Counts.of(client, "sum")
    for rows in (1, 3, 8):
        await client.infer("sum", [ones(rows, 3)])
    added = await before.since(client, "sum", 3)
    assert (added.success, added.fail) == (3, 0)
    assert (added.inferences, added.executions) == (12, 3)
    assert added.batches == {1: 1, 3: 1, 8: 1}


async def test_a_request_without_a_batch_counts_as_one(client: Any) -> None:
    before = await Counts.of(client, "fixed")
    for _ in range(2):
        await client.infer("fixed", [ones(2)])
    added = await before.since(client, "fixed", 2)
    assert (added.inferences, added.executions, added.batches) == (2, 2, {1: 2})


async def test_every_request_is_counted_in_every_step(client: Any) -> None:
    before = await Counts.of(client, "sum")
    await asyncio.gather(*(client.infer("sum", [ones(1, 3)]) for _ in range(5)))
    added = await before.since(client, "sum", 5)
    assert added.times == {"queue": 5, "compute_input": 5, "compute_infer": 5, "compute_output": 5}


async def test_the_time_of_a_request_is_at_least_that_of_its_steps(client: Any) -> None:
    before = await Counts.of(client, "sum")
    await client.infer("sum", [ones(8, 3)])
    spent = (await before.since(client, "sum", 1)).nanoseconds
    steps = [spent[name] for name in ("queue", "compute_input", "compute_infer", "compute_output")]
    assert spent["compute_infer"] > 0
    assert spent["success"] >= sum(steps)


async def test_what_waited_for_another_has_waited_as_long_as_that_took(client: Any, server: Any, gate: Gate) -> None:
    before = await Counts.of(client, "single")
    held = asyncio.create_task(client.infer("single", gate.inputs(0, 1)))
    await gate.entered()
    waiting = asyncio.create_task(client.infer("single", gate.inputs(1, 1)))
    await server.pending("single", 1)
    start = asyncio.get_running_loop().time()
    await client.is_server_live()
    waited = asyncio.get_running_loop().time() - start
    gate.open()
    await asyncio.gather(held, waiting)
    assert (await before.since(client, "single", 2)).nanoseconds["queue"] >= waited * 1e9


async def test_a_request_that_is_refused_before_it_is_queued_is_not_counted(client: Any) -> None:
    before = await Counts.of(client, "sum")
    await refusal(client.infer("sum", [ones(1, 4)]))
    await client.infer("sum", [ones(1, 3)])
    added = await before.since(client, "sum", 1)
    assert (added.success, added.fail, added.executions) == (1, 0, 1)


async def test_requests_whose_execution_raised_are_failures_and_no_inferences(client: Any) -> None:
    before = await Counts.of(client, "alone")
    await refusal(client.infer("alone", [given("how", np.array([["raise"]], object))]))
    added = await before.since(client, "alone", 1)
    assert (added.success, added.fail, added.inferences) == (0, 1, 0)


async def test_an_execution_that_raised_is_counted(client: Any) -> None:
    before = await Counts.of(client, "alone")
    await refusal(client.infer("alone", [given("how", np.array([["raise"]], object))]))
    assert (await before.since(client, "alone", 1)).executions == 1


async def test_a_request_that_the_model_answers_with_an_error_counts_as_executed(client: Any) -> None:
    before = await Counts.of(client, "alone")
    await refusal(client.infer("alone", [given("how", np.array([["NOT_FOUND"]], object))]))
    added = await before.since(client, "alone", 1)
    assert (added.success, added.fail, added.inferences, added.executions) == (1, 0, 1, 1)


async def test_the_statistics_of_all_models_have_each_version_of_each(client: Any) -> None:
    found = {(each.name, each.version) for each in (await client.get_inference_statistics()).model_stats}
    assert {("sum", "1"), ("single", "1"), ("every", "2")} <= found


async def test_there_are_no_statistics_of_what_is_not_served(client: Any) -> None:
    unknown = await refusal(client.get_inference_statistics("nope"))
    assert unknown.says("INVALID_ARGUMENT", "requested model 'nope' is not available")
    other = await refusal(client.get_inference_statistics("sum", "9"))
    assert other.says("INVALID_ARGUMENT", "requested model version is not available for model 'sum'")
