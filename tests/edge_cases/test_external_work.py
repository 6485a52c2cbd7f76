"""Edge cases 2, 3 and 19: external work that is done at once, dropped, signalled twice, or all that there is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from edge_jobs import MODES, WORKS, Away, at_once, job, much_later, of_a_done_future, raises_later, rows

from eventbraid import (
    Event,
    ExternalFilter,
    ExternalProducer,
    Input,
    ModuleError,
    Output,
)


@MODES
@WORKS
@pytest.mark.parametrize("kind", ["stream", "shared", "serial"])
def test_edge_02_external_work_that_is_done_at_once_or_later_gives_each_event_its_own_result(
    mode: Any, work: Any, kind: Any
) -> None:
    class Kind(Away):
        pass

    Kind.kind = kind
    made, output = job({"away": Kind(work)}, 4, keep=["away"], streams=4)
    assert made.run(mode).events.passed == 4
    assert rows(output, "away") == [0, 10, 20, 30]


@MODES
@WORKS
def test_edge_02_the_steps_of_an_event_come_once_and_in_order(mode: Any, work: Any) -> None:
    away = Away(work)
    made, _ = job({"away": away}, 4, streams=4)
    made.run(mode)
    for number in range(4):
        assert [step for step, x in away.steps if x == number] == ["acquire", "work", "produce"]


class Early(ExternalProducer["asyncio.Future[int]", int]):
    """Its work is over while acquire still runs."""

    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log

    async def acquire(self, event: Event) -> asyncio.Future[int]:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _: self.log.append("work is over"))
        asyncio.get_running_loop().call_soon(future.set_result, event[self.x] * 10)
        for _ in range(5):
            await asyncio.sleep(0)
        self.log.append("acquire returns")
        return future

    async def external_work(self, acquired: asyncio.Future[int]) -> int:
        return await acquired

    async def produce(self, event: Event, result: int) -> None:
        self.log.append("produce")
        event[self.value] = result


@MODES
def test_edge_02_produce_does_not_overlap_acquire_where_the_work_ends_before_it(mode: Any) -> None:
    log: list[str] = []
    made, output = job({"early": Early(log)}, 3, keep=["early"], streams=1)
    made.run(mode)
    assert log == ["work is over", "acquire returns", "produce"] * 3
    assert rows(output, "early") == [0, 10, 20]


@MODES
def test_edge_02_a_plain_external_work_that_returns_a_future_is_awaited(mode: Any) -> None:
    class Plain(Away):
        def external_work(self, acquired: int) -> Any:  # type: ignore[override]
            return of_a_done_future(acquired)

    made, output = job({"plain": Plain(at_once)}, 3, keep=["plain"], streams=3)
    made.run(mode)
    assert rows(output, "plain") == [0, 10, 20]


async def raises_at_once(acquired: int) -> int:
    raise ValueError("dropped")


async def of_a_failed_future(acquired: int) -> int:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError("dropped"))
    return await future


async def of_a_cancelled_future(acquired: int) -> int:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.cancel, "dropped")
    return await future


async def of_a_cancelled_task(acquired: int) -> int:
    task = asyncio.create_task(much_later(acquired))
    asyncio.get_running_loop().call_soon(task.cancel)
    return await task


DROPS = pytest.mark.parametrize(
    "drops", [raises_at_once, raises_later, of_a_failed_future, of_a_cancelled_future, of_a_cancelled_task]
)


@MODES
@DROPS
def test_edge_03_work_that_is_dropped_fails_its_event_once_and_no_other(mode: Any, drops: Any) -> None:
    async def work(acquired: int) -> int:
        return await drops(acquired) if acquired == 1 else await much_later(acquired)  # type: ignore[no-any-return]

    away = Away(work)
    made, output = job({"away": away}, 4, keep=["away"], streams=4, on_error="skip")
    report = made.run(mode)
    assert rows(output, "away") == [0, 20, 30]
    assert [(str(failure.event), failure.error.step) for failure in report.failures] == [("1:1:2", "external work")]
    assert ("produce", 1) not in away.steps
    assert report.cancelled == 0


@MODES
def test_edge_03_work_without_a_result_gives_none_to_produce(mode: Any) -> None:
    class Forgets(Away):
        def produce(self, event: Event, result: int) -> None:
            event[self.value] = -1 if result is None else result

    async def nothing(acquired: int) -> None:
        await asyncio.sleep(0)

    made, output = job({"away": Forgets(nothing)}, 2, keep=["away"])
    made.run(mode)
    assert rows(output, "away") == [-1, -1]


async def signalled_twice(acquired: int) -> int:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()

    def signal(value: int) -> None:
        with contextlib.suppress(asyncio.InvalidStateError):
            future.set_result(value)

    loop.call_soon(signal, acquired * 10)
    loop.call_soon(signal, -1)
    return await future


async def signalled_and_cancelled(acquired: int) -> int:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()
    loop.call_soon(future.set_result, acquired * 10)
    loop.call_soon(future.cancel)
    return await future


@MODES
@pytest.mark.parametrize("work", [signalled_twice, signalled_and_cancelled])
def test_edge_03_work_that_is_signalled_twice_is_over_once_with_the_first_result(mode: Any, work: Any) -> None:
    away = Away(work)
    made, output = job({"away": away}, 4, keep=["away"], streams=4)
    assert made.run(mode).events.passed == 4
    assert rows(output, "away") == [0, 10, 20, 30]
    assert sorted(away.steps) == sorted((step, x) for step in ("acquire", "work", "produce") for x in range(4))


@pytest.mark.parametrize(
    "mode",
    [
        "async",
        "blocking",
        "threads",
    ],
)
def test_edge_03_an_external_work_that_cannot_be_awaited_is_the_modules_error(mode: Any) -> None:
    class Returns(Away):
        def external_work(self, acquired: int) -> Any:  # type: ignore[override]
            return acquired

    made, _ = job({"away": Returns(at_once)}, 2)
    with pytest.raises(ModuleError, match="module 'away', step external work"):
        made.run(mode)


@MODES
@pytest.mark.parametrize("streams", [1, 3])
def test_edge_19_an_external_filter_as_the_only_module_of_a_job_decides_every_event(mode: Any, streams: int) -> None:
    class Even(ExternalFilter[int, bool]):
        x = Input[int]("x")

        def acquire(self, event: Event) -> int:
            return event[self.x]

        async def external_work(self, acquired: int) -> bool:
            await asyncio.sleep(0)
            return acquired % 2 == 0

        def filter(self, event: Event, result: bool) -> bool:
            return result

    made, _ = job({"even": Even()}, 5, streams=streams)
    report = made.run(mode)
    assert (report.events.passed, report.events.not_selected) == (3, 2)


@MODES
@DROPS
@pytest.mark.parametrize("streams", [1, 3])
def test_edge_19_external_work_that_is_dropped_leaves_its_stream_to_the_next_event(
    mode: Any, drops: Any, streams: int
) -> None:
    made, _ = job({"away": Away(drops)}, 4, on_error="skip", streams=streams)
    report = made.run(mode)
    assert (report.events.read, report.events.failed) == (4, 4)
