"""Processes in virtual time: each has a core and a clock, and nobody hears of what has not happened yet."""

from __future__ import annotations

import asyncio
import random
import time
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eventbraid.inference.pool.pool as pool
import eventbraid.scheduler as scheduler
from eventbraid.testing.world import Process, World, compute


async def slept(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return asyncio.get_running_loop().time()


def test_time_jumps_over_what_is_waited_for() -> None:
    world, began = World(), perf_counter()
    assert world.run((world.process("one"), slept(86_400.0))) == [86_400.0]
    assert perf_counter() - began < 10


def test_who_computes_holds_up_the_own_loop_and_nobody_else_s() -> None:
    world = World()
    busy, idle = world.process("busy"), world.process("idle")

    async def works() -> tuple[float, float]:
        late = asyncio.create_task(slept(1.0))
        await asyncio.sleep(0)
        compute(5.0)
        return await late, asyncio.get_running_loop().time()

    async def sleeps() -> tuple[float, float]:
        return await slept(1.0), await slept(1.0)

    assert world.run((busy, works()), (idle, sleeps())) == [(5.0, 5.0), (1.0, 2.0)]
    assert (busy.busy, idle.busy) == (5.0, 0.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=6), st.floats(0.001, 1))
def test_messages_arrive_in_the_order_of_time_and_never_early(steps: list[tuple[float, float]], way: float) -> None:
    world = World()
    receiver = world.process("receiver")
    heard: list[tuple[float, float]] = []
    told = 0

    async def receive() -> None:
        while len(heard) < len(steps) * 2:  # noqa: ASYNC110
            await asyncio.sleep(0.5)

    async def send(process: Process) -> None:
        nonlocal told
        for waits, works in steps:
            await asyncio.sleep(waits)
            compute(works)
            due = process.time() + way
            told += 1
            receiver.call_at(due, lambda due=due: heard.append((due, receiver.time())))

    senders = [world.process(f"sender {n}") for n in range(2)]
    world.run((receiver, receive()), *((each, send(each)) for each in senders))
    assert told == len(heard)
    assert [due for due, _ in heard] == sorted(due for due, _ in heard)
    assert all(now == due for due, now in heard)


def test_the_framework_s_clocks_are_the_process_s_and_then_those_of_before() -> None:
    world = World()

    async def read() -> tuple[float, float]:
        await asyncio.sleep(3.0)
        return scheduler.perf_counter(), pool.monotonic()

    assert world.run((world.process("one"), read())) == [(3.0, 3.0)]
    assert scheduler.perf_counter is time.perf_counter
    assert pool.monotonic is time.monotonic


def test_what_is_drawn_at_random_is_the_seed_s_and_what_was_goes_on_after() -> None:
    async def draw() -> float:
        return random.random()

    def drawn(seed: int) -> list[float]:
        world = World(seed)
        return world.run((world.process("one"), draw()))

    random.seed(5)
    first = random.random()
    random.seed(5)
    assert drawn(1) == drawn(1) != drawn(2)
    assert random.random() == first


def test_a_deadline_is_over_when_its_time_has_come() -> None:
    world = World()

    async def wait() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.0):
                await asyncio.get_running_loop().create_future()
        return asyncio.get_running_loop().time()

    assert world.run((world.process("one"), wait())) == [2.0]


def test_what_threads_would_do_takes_no_time() -> None:
    world = World()

    async def work() -> tuple[int, float]:
        return await asyncio.to_thread(lambda: 7), asyncio.get_running_loop().time()

    assert world.run((world.process("one"), work())) == [(7, 0.0)]


def test_who_waits_for_what_never_comes_is_told() -> None:
    world = World()

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="1 processes wait for what never comes"):
        world.run((world.process("one"), wait()))


def test_an_error_of_one_process_ends_the_world() -> None:
    world = World()

    async def fail() -> None:
        await asyncio.sleep(1.0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        world.run((world.process("one"), fail()), (world.process("two"), slept(5.0)))


def test_an_error_in_a_callback_ends_the_world() -> None:
    world = World()
    process = world.process("one")
    process.call_at(1.0, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        world.run((process, slept(5.0)))


def test_only_a_process_computes_in_virtual_time() -> None:
    async def work() -> None:
        compute(1.0)

    with pytest.raises(TypeError, match="only a process of a world"):
        asyncio.run(work())
