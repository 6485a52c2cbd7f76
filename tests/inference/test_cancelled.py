"""A request that is cancelled, wherever it is on its way: it leaves no task, no place taken, nobody waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from scripted import Held, Scripted, client_of, rows

from eventbraid.errors import ServerError
from eventbraid.inference import Coalesce, TritonClient
from eventbraid.testing.virtual_time import VirtualLoop, in_virtual_time

MOST_TURNS = 400
"""More than any of these requests takes."""


def busy_at_first() -> Callable[[Held], None]:
    asked: list[Held] = []

    def answer(held: Held) -> None:
        asked.append(held)
        held.succeed() if len(asked) > 2 else held.fail("RESOURCE_EXHAUSTED", "too many")

    return answer


def later(held: Held) -> None:
    asyncio.get_running_loop().call_later(0.02, held.succeed)


class Case:
    """Servers, and a request to them."""

    def __init__(self, answers: Callable[[], Callable[[Held], None]], count: int = 1, **options: Any) -> None:
        self.answers = answers
        self.count = count
        self.options = options

    def client(self) -> tuple[list[Scripted], TritonClient]:
        servers = [Scripted("one", max_requests=2), Scripted("two", max_requests=2)]
        for each in servers:
            each.at_once = self.answers()
        return servers, client_of(*servers)

    def ask(self, client: TritonClient) -> Awaitable[Any]:
        return client.infer("m", rows(self.count), **self.options)


CASES = {
    "answered at once": Case(lambda: Held.succeed),
    "answered later": Case(lambda: later),
    "tried again after pauses": Case(busy_at_first),
    "bad answers": Case(lambda: Held.fail, tries=2),
    "in pieces that wait for each other": Case(lambda: later, 6, batch_size=1),
    "with a second request": Case(lambda: later, hedge_after=0.01),
    "in pieces with second requests": Case(lambda: later, 8, batch_size=2, hedge_after=0.01),
    "joined": Case(lambda: later, coalesce=Coalesce(8, 0.01)),
}


def in_turn(number: int, work: Callable[[], object]) -> None:
    """Do something in that turn of the loop, counted from now."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.at_turn[loop.turns + number] = work


async def turns(count: int) -> None:
    """Let the others run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def nothing_is_left(client: TritonClient, servers: list[Scripted]) -> None:
    for endpoint in client._pool.endpoints:
        assert (endpoint.outstanding, endpoint.slots.requests, endpoint.slots.bytes) == (0, 0, 0)
    assert not any(serving.waiting for serving in client._pool.models.values())
    assert not any(each.held for each in servers)
    await client.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("known", [False, True], ids=["the first", "a later one"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_request_may_be_cancelled_at_any_step(case: Case, known: bool) -> None:
    @in_virtual_time
    async def cancelled_at(step: int) -> None:
        servers, client = case.client()
        if known:
            await client.metadata("m")
        task = asyncio.ensure_future(case.ask(client))
        in_turn(step, task.cancel)
        await asyncio.wait([task])
        ended.append(not task.cancelled())
        await turns(3)  # what was joined is cancelled behind it
        if hasattr(client, "_pool"):
            await nothing_is_left(client, servers)

    ended: list[bool] = []
    while not (ended and ended[-1]):
        cancelled_at(len(ended) + 1)
        assert len(ended) < MOST_TURNS
    assert len(ended) > 3


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_one_of_several_may_be_cancelled_at_any_step_and_the_others_are_answered(case: Case) -> None:
    @in_virtual_time
    async def cancelled_at(step: int) -> None:
        servers, client = case.client()
        await client.metadata("m")
        tasks = [asyncio.ensure_future(case.ask(client)) for _ in range(4)]
        in_turn(step, tasks[1].cancel)
        await asyncio.wait(tasks)
        others = [tasks[0], *tasks[2:]]
        assert not any(task.cancelled() for task in others)
        if case.answers() is not Held.fail:
            assert all(task.result()["y"].tolist() == [[2]] * case.count for task in others)
        else:
            assert all(isinstance(task.exception(), ServerError) for task in others)
        ended.append(not tasks[1].cancelled())
        await turns(3)
        await nothing_is_left(client, servers)

    ended: list[bool] = []
    while not (ended and ended[-1]):
        cancelled_at(len(ended) + 1)
        assert len(ended) < MOST_TURNS


def test_a_search_that_is_cancelled_at_any_step_is_begun_anew_by_the_next() -> None:
    @in_virtual_time
    async def cancelled_at(step: int) -> None:
        servers, client = CASES["answered at once"].client()
        task = asyncio.create_task(client.metadata("m"))
        in_turn(step, task.cancel)
        await asyncio.wait([task])
        ended.append(not task.cancelled())
        assert (await client.infer("m", rows()))["y"].tolist() == [[2]]
        await nothing_is_left(client, servers)

    ended: list[bool] = []
    while not (ended and ended[-1]):
        cancelled_at(len(ended) + 1)
        assert len(ended) < MOST_TURNS


@in_virtual_time
async def test_a_request_that_is_cancelled_twice_is_cancelled_once() -> None:
    one = Scripted("one")
    client = client_of(one)
    task = asyncio.create_task(client.infer("m", rows(4), batch_size=1, hedge_after=0.01))
    await one.holds(4)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await turns(5)
    await nothing_is_left(client, [one])
