"""The requests of one stream are answered at the same time, and their answers come in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from eventbraid.serving.embedded.calls.streaming import AT_ONCE, streamed


class Asked:
    """Requests are numbers; each is answered twice, once it is let go."""

    def __init__(self, unordered: frozenset[int] = frozenset()) -> None:
        self.gates: dict[int, asyncio.Event] = {}
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.unordered = unordered

    async def answers(self, request: int) -> AsyncGenerator[str]:
        self.begun.append(request)
        try:
            await self.gates.setdefault(request, asyncio.Event()).wait()
            yield f"{request} first"
            yield f"{request} second"
        finally:
            self.ended.append(request)

    def let_go(self, *requests: int) -> None:
        for request in requests:
            self.gates.setdefault(request, asyncio.Event()).set()

    def of(self, requests: AsyncIterator[int]) -> AsyncGenerator[str]:
        return streamed(requests, self.answers, lambda request: request in self.unordered)


async def upto(count: int, wrong: Exception | None = None) -> AsyncGenerator[int]:
    for number in range(count):
        yield number
    if wrong is not None:
        raise wrong


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_all_requests_are_under_way_before_the_first_is_answered() -> None:
    asked = Asked()
    found = asked.of(upto(3))
    first = asyncio.ensure_future(anext(found))
    await turns()
    assert asked.begun == [0, 1, 2]
    asked.let_go(0)
    assert await first == "0 first"
    await found.aclose()


async def test_answers_come_in_the_order_of_their_requests() -> None:
    asked = Asked()
    asked.let_go(2, 1)
    found = asked.of(upto(3))
    first = asyncio.ensure_future(anext(found))
    await turns()
    assert not first.done()
    asked.let_go(0)
    assert [await first, *[each async for each in found]] == [
        f"{number} {which}" for number in range(3) for which in ("first", "second")
    ]


async def test_those_without_an_order_come_when_they_are_there() -> None:
    asked = Asked(unordered=frozenset({0, 2}))
    asked.let_go(1, 2)
    found = asked.of(upto(3))
    assert sorted([await anext(found) for _ in range(4)]) == ["1 first", "1 second", "2 first", "2 second"]
    asked.let_go(0)
    assert [each async for each in found] == ["0 first", "0 second"]


async def test_not_more_than_so_many_are_under_way() -> None:
    asked = Asked()
    found = asked.of(upto(AT_ONCE + 5))
    first = asyncio.ensure_future(anext(found))
    await turns()
    await turns()
    assert len(asked.begun) == AT_ONCE
    asked.let_go(*range(AT_ONCE + 5))
    assert await first == "0 first"
    assert len([each async for each in found]) == 2 * (AT_ONCE + 5) - 1


async def test_a_stream_that_is_given_up_leaves_nothing_under_way() -> None:
    asked = Asked()
    asked.let_go(0)
    found = asked.of(upto(3))
    assert await anext(found) == "0 first"
    await turns()
    await found.aclose()
    assert sorted(asked.ended) == [0, 1, 2]


async def test_a_stream_that_is_given_up_while_an_answer_waits_and_requests_come_leaves_nothing() -> None:
    asked, silent = Asked(), asyncio.Event()

    async def open_end() -> AsyncGenerator[int]:
        yield 0
        await silent.wait()

    asked.let_go(0)
    found = asked.of(open_end())
    assert await anext(found) == "0 first"
    await turns()
    await asyncio.wait_for(found.aclose(), 5)
    assert asked.ended == [0]


async def test_a_request_whose_answering_breaks_ends_the_stream_behind_the_others() -> None:
    async def answers(request: int) -> AsyncGenerator[str]:
        if request == 1:
            raise ValueError("mine")
        yield f"{request}"

    found = streamed(upto(3), answers, lambda _: False)
    assert [await anext(found), await anext(found)] == ["0", "2"]
    with pytest.raises(ValueError, match="mine"):
        await anext(found)


async def test_an_error_of_the_requests_comes_after_the_answers_to_those_before() -> None:
    asked = Asked()
    asked.let_go(0, 1)
    found = asked.of(upto(2, ValueError("no request")))
    assert len([await anext(found) for _ in range(4)]) == 4
    with pytest.raises(ValueError, match="no request"):
        await anext(found)


async def test_a_stream_without_requests_has_no_answers() -> None:
    assert [each async for each in Asked().of(upto(0))] == []
