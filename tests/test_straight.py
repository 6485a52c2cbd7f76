"""What awaits nothing runs without a coroutine, and does the same."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from typing import Any

import pytest

from eventbraid.straight import straight


class Base:
    def double(self, x: int) -> int:
        return 2 * x


class Sample(Base):
    def __init__(self) -> None:
        self.seen: list[int] = []

    async def plain(self, x: int, *more: int, scale: int = 3) -> int:
        """Has a closure, super(), a comprehension, defaults and a finally."""
        try:
            if x < 0:
                raise ValueError(x)
            return super().double(x) + sum(scale * each + x for each in more)
        finally:
            self.seen.append(x)

    async def inner(self, x: int) -> Any:
        async def waits() -> int:
            await asyncio.sleep(0)
            return x

        return waits

    async def waits(self) -> None:
        await asyncio.sleep(0)

    async def opens(self) -> None:
        async with asyncio.Lock():
            self.seen.append(0)

    async def goes_through(self, these: Any) -> None:
        async for _ in these:
            pass

    async def yields(self) -> Any:
        yield 1

    def ordinary(self) -> int:
        return 1


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def test_a_method_that_awaits_nothing_answers_at_once_what_its_coroutine_would() -> None:
    sample = Sample()
    made = straight(sample.plain)
    assert not inspect.iscoroutinefunction(made)
    assert made(2, 5, 7, scale=4) == run(sample.plain(2, 5, 7, scale=4))
    assert made(2, 5) == run(sample.plain(2, 5))
    assert sample.seen == [2, 2, 2, 2]
    assert straight(sample.inner)(4).__name__ == "waits"


def test_an_exception_has_the_same_type_and_the_users_own_line() -> None:
    sample = Sample()
    made = straight(sample.plain)
    with pytest.raises(ValueError, match="-1") as raised:
        made(-1)
    last = traceback.extract_tb(raised.value.__traceback__)[-1]
    assert (last.name, last.line) == ("plain", "raise ValueError(x)")
    assert sample.seen == [-1]


@pytest.mark.parametrize("name", ["waits", "opens", "goes_through", "yields", "ordinary"])
def test_what_may_wait_or_is_no_coroutine_is_left_as_it_is(name: str) -> None:
    method = getattr(Sample(), name)
    assert straight(method) is method


def test_what_is_no_method_is_left_as_it_is() -> None:
    assert straight(len) is len


def test_a_function_is_looked_at_once() -> None:
    assert straight(Sample().plain).__func__ is straight(Sample().plain).__func__  # type: ignore[attr-defined]
