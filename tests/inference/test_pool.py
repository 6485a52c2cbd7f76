"""Who gets which server, who waits, and that every place is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from scripted import Scripted

from eventbraid.errors import ServerBusy, ServerUnavailable
from eventbraid.inference.pool import pool as pools
from eventbraid.inference.pool.pool import Pool, Serving, Wish
from eventbraid.inference.pool.served import Served
from eventbraid.kserve import ModelMetadata
from eventbraid.testing.virtual_time import in_virtual_time

SOON = 10.0
"""A deadline; virtual time begins with 0."""


class Scene:
    """A pool of servers that are not asked anything, and one serving for each of some models."""

    def __init__(self, *servers: Scripted, models: Sequence[str] = ("m",)) -> None:
        by_name = {each.server.name: each for each in servers}
        self.pool = Pool([each.server for each in servers], lambda server: by_name[server.name].connect())
        for model in models:
            serving = self.pool.models[model, ""] = Serving(model)
            for endpoint, server in zip(self.pool.endpoints, servers, strict=True):
                if model in server.models:
                    metadata = ModelMetadata(model, ("1",), (), ())
                    endpoint.models[model, ""] = Served(endpoint, (model, ""), metadata)
                    serving.add([endpoint.models[model, ""]])
        self.serving = self.pool.models[models[0], ""]

    async def take(self, nbytes: int = 4, *, model: str = "m", **wish: Any) -> Served:
        """A server, if it is there at once or in time."""
        return await self.pool.take(self.pool.models[model, ""], Wish(nbytes, wish.pop("deadline", SOON), **wish))

    async def asking(self, nbytes: int = 4, **wish: Any) -> asyncio.Task[Served]:
        """A request that has asked for a server by now."""
        task = asyncio.create_task(self.take(nbytes, **wish))
        await turns()
        return task

    def give(self, served: Served, nbytes: int = 4) -> None:
        self.pool.give(served, nbytes, 0.0)

    def lose(self, number: int = 0) -> None:
        """A server is away."""
        self.pool.endpoints[number].set_aside("it is away")

    @property
    def taken(self) -> list[tuple[int, int]]:
        """Requests and bytes that each server has."""
        return [(each.slots.requests, each.slots.bytes) for each in self.pool.endpoints]

    async def end(self) -> None:
        """Close; nothing is taken, nobody waits."""
        await self.pool.aclose()
        assert all(not serving.waiting for serving in self.pool.models.values())
        assert self.taken == [(0, 0)] * len(self.pool.endpoints)
        assert all(not each.outstanding for each in self.pool.endpoints)


async def turns() -> None:
    """Let the others run."""
    for _ in range(5):
        await asyncio.sleep(0)


@in_virtual_time
async def test_a_request_waits_where_the_server_has_as_many_as_it_may_have() -> None:
    scene = Scene(Scripted(max_requests=2))
    first, second = await scene.take(), await scene.take()
    third = await scene.asking()
    assert not third.done()
    scene.give(first)
    scene.give(await third)
    scene.give(second)
    await scene.end()


@in_virtual_time
async def test_a_request_waits_where_its_bytes_are_too_many() -> None:
    scene = Scene(Scripted(max_bytes=10))
    first = await scene.take(6)
    second = await scene.asking(5)
    assert not second.done()
    scene.give(first, 6)
    scene.give(await second, 5)
    await scene.end()


@in_virtual_time
async def test_a_request_larger_than_the_bound_goes_alone() -> None:
    scene = Scene(Scripted(max_bytes=10))
    small = await scene.take(1)
    large = await scene.asking(1000)
    assert not large.done()
    scene.give(small, 1)
    alone = await large
    next_one = await scene.asking(1)
    assert not next_one.done()
    scene.give(alone, 1000)
    scene.give(await next_one, 1)
    await scene.end()


@in_virtual_time
async def test_those_who_wait_are_served_in_the_order_in_which_they_came() -> None:
    scene = Scene(Scripted(max_requests=1))
    held = await scene.take()
    waiting = [await scene.asking() for _ in range(5)]
    for number, task in enumerate(waiting):
        scene.give(held)
        held = await task
        assert [each.done() for each in waiting] == [True] * (number + 1) + [False] * (4 - number)
    scene.give(held)
    await scene.end()


@in_virtual_time
async def test_one_with_a_priority_is_served_first_and_1_is_the_highest() -> None:
    scene = Scene(Scripted(max_requests=1))
    held = await scene.take()
    order: list[int] = []
    waiting = [await scene.asking(priority=priority) for priority in (0, 2, 1, 0, 1)]
    for number, task in enumerate(waiting):
        task.add_done_callback(lambda _, number=number: order.append(number))
    for _ in waiting:
        scene.give(held)
        await turns()
        held = await waiting[order[-1]]
    assert order == [2, 4, 1, 0, 3]
    scene.give(held)
    await scene.end()


@in_virtual_time
async def test_a_small_request_does_not_overtake_a_large_one_that_waits() -> None:
    scene = Scene(Scripted(max_requests=9, max_bytes=10))
    held = await scene.take(6)
    large, small = await scene.asking(8), await scene.asking(1)
    assert not small.done()
    scene.give(held, 6)
    for task, nbytes in ((large, 8), (small, 1)):
        scene.give(await task, nbytes)
    await scene.end()


@in_virtual_time
async def test_a_small_request_of_another_model_does_not_overtake_it_either() -> None:
    scene = Scene(Scripted("one", "m", "n", max_requests=9, max_bytes=10), models=("m", "n"))
    held = await scene.take(6)
    large, small = await scene.asking(8), await scene.asking(1, model="n")
    assert not small.done()
    scene.give(held, 6)
    for task, nbytes in ((large, 8), (small, 1)):
        scene.give(await task, nbytes)
    await scene.end()


@in_virtual_time
async def test_models_take_their_turns_on_a_server_that_is_full() -> None:
    scene = Scene(Scripted("one", "m", "n", max_requests=1), models=("m", "n"))
    held = await scene.take()
    order: list[str] = []
    waiting: list[asyncio.Task[Served]] = []
    for number in range(6):
        model = "mn"[number % 2]
        waiting.append(await scene.asking(model=model))
        waiting[-1].add_done_callback(lambda _, model=model: order.append(model))
    for task in waiting:
        scene.give(held)
        held = await task
    assert order == ["m", "n"] * 3
    scene.give(held)
    await scene.end()


@in_virtual_time
async def test_a_request_of_another_model_takes_a_server_that_nobody_waits_for() -> None:
    scene = Scene(Scripted("one", "m", max_requests=1), Scripted("two", "n"), models=("m", "n"))
    held = await scene.take()
    waiting = await scene.asking()
    other = await scene.asking(model="n")
    assert (await other).name == "two"
    scene.give(held)
    scene.give(await waiting)
    scene.give(await other)
    await scene.end()


@in_virtual_time
async def test_one_that_may_not_go_to_a_server_does_not_keep_others_from_it() -> None:
    scene = Scene(Scripted("one"), Scripted("two", max_requests=1))
    held = await scene.take(preferred="two")
    strict = await scene.asking(avoid={"one"}, strictly=True)
    assert (await scene.take()).name == "one"
    assert not strict.done()
    scene.give(held)
    assert (await strict).name == "two"
    scene.give(await strict)
    scene.give(scene.serving.served[0])
    await scene.end()


@in_virtual_time
async def test_one_that_may_not_go_to_a_server_gets_the_other_before_those_behind_it() -> None:
    scene = Scene(Scripted("one", max_requests=1), Scripted("two", max_requests=1))
    held = [await scene.take(), await scene.take()]
    strict = await scene.asking(avoid={"one"}, strictly=True)
    behind = await scene.asking()
    for served in held:
        scene.give(served)
    assert [(await strict).name, (await behind).name] == ["two", "one"]
    scene.give(await strict)
    scene.give(await behind)
    await scene.end()


@in_virtual_time
async def test_one_that_is_cancelled_in_front_lets_those_behind_it_go_on() -> None:
    scene = Scene(Scripted(max_requests=9, max_bytes=10))
    held = await scene.take(6)
    large, small = await scene.asking(8), await scene.asking(1)
    large.cancel()
    scene.give(await small, 1)
    assert large.cancelled()
    scene.give(held, 6)
    await scene.end()


@in_virtual_time
async def test_one_whose_time_is_over_in_front_lets_those_behind_it_go_on() -> None:
    scene = Scene(Scripted(max_requests=9, max_bytes=10))
    held = await scene.take(6)
    large, small = await scene.asking(8, deadline=1.0), await scene.asking(1)
    scene.give(await small, 1)
    with pytest.raises(ServerBusy, match="no server had room for the request before its deadline"):
        await large
    scene.give(held, 6)
    await scene.end()


@in_virtual_time
async def test_a_place_that_is_handed_to_one_who_is_cancelled_goes_to_the_next() -> None:
    scene = Scene(Scripted(max_requests=1))
    held = await scene.take()
    first, second = await scene.asking(), await scene.asking()
    scene.give(held)
    first.cancel()
    scene.give(await second)
    assert first.cancelled()
    await scene.end()


@in_virtual_time
async def test_one_who_is_cancelled_just_before_a_place_is_free_does_not_get_it() -> None:
    scene = Scene(Scripted(max_requests=1))
    held = await scene.take()
    first, second = await scene.asking(), await scene.asking()
    first.cancel()
    scene.give(held)
    scene.give(await second)
    assert first.cancelled()
    await scene.end()


@in_virtual_time
async def test_a_place_that_is_handed_over_at_the_deadline_is_used_or_given_back() -> None:
    scene = Scene(Scripted(max_requests=1))
    held = await scene.take()
    asyncio.get_running_loop().call_at(1.0, scene.give, held)
    waiting = await scene.asking(deadline=1.0)
    try:
        scene.give(await waiting)
    except ServerBusy:
        assert scene.taken == [(0, 0)]
    await scene.end()


@in_virtual_time
async def test_all_who_wait_may_be_cancelled_at_once() -> None:
    scene = Scene(Scripted(max_requests=1))
    held = await scene.take()
    waiting = [await scene.asking() for _ in range(5)]
    for task in waiting:
        task.cancel()
    scene.give(held)
    await asyncio.wait(waiting)
    assert all(task.cancelled() for task in waiting)
    await scene.end()


@in_virtual_time
async def test_one_who_waits_gets_the_server_that_comes_back() -> None:
    scene = Scene(Scripted())
    scene.lose()
    waiting = await scene.asking()
    assert not waiting.done()
    scene.give(await waiting)
    await scene.end()


@in_virtual_time
async def test_one_who_waits_in_vain_hears_why_the_servers_are_away() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.up = two.up = False
    scene = Scene(one, two)
    scene.lose(0)
    scene.lose(1)
    with pytest.raises(
        ServerUnavailable, match=r"no server is ready: one: failed to connect.*; two: failed to connect"
    ):
        await scene.take(deadline=1.0)
    await scene.end()


@in_virtual_time
async def test_one_who_is_not_patient_hears_at_once_that_no_server_is_ready() -> None:
    scene = Scene(Scripted())
    scene.lose()
    with pytest.raises(ServerUnavailable, match="it is away"):
        await scene.take(patient=False)
    assert asyncio.get_running_loop().time() < 0.1
    await scene.end()


@in_virtual_time
async def test_all_who_are_not_patient_hear_when_the_last_server_goes() -> None:
    scene = Scene(Scripted(max_requests=1))
    held = await scene.take()
    waiting = [await scene.asking(patient=False) for _ in range(3)]
    scene.lose()
    for task in waiting:
        with pytest.raises(ServerUnavailable, match="it is away"):
            await task
    scene.give(held)
    await scene.end()


@in_virtual_time
async def test_one_that_may_go_to_no_other_server_hears_when_that_goes() -> None:
    scene = Scene(Scripted("one"), Scripted("two", max_requests=1))
    held = await scene.take(preferred="two")
    strict = await scene.asking(avoid={"one"}, strictly=True)
    scene.lose(1)
    with pytest.raises(ServerUnavailable):
        await strict
    scene.give(held)
    await scene.end()


@in_virtual_time
async def test_the_preferred_server_is_taken_as_long_as_it_has_room() -> None:
    scene = Scene(Scripted("one"), Scripted("two", max_requests=2))
    taken = [await scene.take(preferred="two") for _ in range(4)]
    assert [served.name for served in taken] == ["two", "two", "one", "one"]
    for served in taken:
        scene.give(served)
    await scene.end()


@in_virtual_time
async def test_a_server_to_be_avoided_is_taken_where_no_other_has_room() -> None:
    scene = Scene(Scripted("one"), Scripted("two", max_requests=1))
    taken = [await scene.take(avoid={"one"}) for _ in range(2)]
    assert [served.name for served in taken] == ["two", "one"]
    for served in taken:
        scene.give(served)
    await scene.end()


@in_virtual_time
async def test_closing_ends_those_who_wait_and_takes_no_more() -> None:
    scene = Scene(Scripted(max_requests=1))
    held = await scene.take()
    waiting = await scene.asking()
    scene.pool.close()
    for asked in (waiting, scene.take()):
        with pytest.raises(ServerUnavailable, match="this client is closed"):
            await asked
    scene.give(held)
    await scene.end()


@in_virtual_time
async def test_room_is_where_a_request_would_not_wait() -> None:
    scene = Scene(Scripted(max_requests=1))
    assert scene.pool.room(scene.serving)
    held = await scene.take()
    assert not scene.pool.room(scene.serving)
    scene.lose()
    scene.give(held)
    assert not scene.pool.room(scene.serving)
    await scene.end()


@in_virtual_time
async def test_those_who_listen_are_told_of_room() -> None:
    scene = Scene(Scripted())
    told: list[bool] = []
    held = await scene.take()
    scene.pool.on_room.append(lambda: told.append(scene.pool.room(scene.serving)))
    scene.give(held)
    assert told == [True]
    await scene.end()


@pytest.mark.parametrize(("models", "asked"), [(("m",), 1), (("n",), 0)], ids=["with the model", "without it"])
def test_a_silent_server_is_asked_whether_it_lives_where_another_has_its_models(
    models: Sequence[str], asked: int
) -> None:
    one, two = Scripted("one"), Scripted("two", *models)

    @in_virtual_time
    async def test() -> None:
        scene = Scene(one, two, models=("m", "n"))
        held = await scene.take(preferred="one")
        await asyncio.sleep(1.5 * pools.FROZEN_AFTER)
        scene.give(held)
        await scene.end()

    test()
    assert one.asked("ServerLive") == asked


@in_virtual_time
async def test_a_server_that_was_slow_once_is_asked_again_before_long() -> None:
    scene = Scene(Scripted("a"), Scripted("b"))
    for each, seconds in zip(scene.serving.served, (0.001, 0.1), strict=True):
        each.take(4)
        each.took(seconds)
        scene.give(each)
    asked = []
    for _ in range(100):
        asked.append(await scene.take())
        asked[-1].took(0.001)
        scene.give(asked[-1])
        await asyncio.sleep(0.1)
    slow = [number for number, each in enumerate(asked) if each.name == "b"]
    assert 60 < slow[0] < 75  # log2(100) half-lives
    assert len(slow) > 5
    await scene.end()
