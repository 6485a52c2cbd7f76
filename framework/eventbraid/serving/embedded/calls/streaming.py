"""The requests of one stream: executed at the same time, so that they can be a batch, and answered in their order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Final, TypeVar

__all__ = ["streamed"]

AT_ONCE: Final = 64
"""Requests of a stream that are answered at a time; the next is read when one of them has been."""

Request = TypeVar("Request")
Answer = TypeVar("Answer")


async def streamed(
    requests: AsyncIterator[Request],
    answers: Callable[[Request], AsyncGenerator[Answer]],
    unordered: Callable[[Request], bool],
) -> AsyncGenerator[Answer]:
    """The answers to the requests of a stream, in the order of these; those of `unordered` ones as they come.

    An answer is made only when the one before it has been taken.
    """
    made: asyncio.Queue[Answer | None] = asyncio.Queue(1)
    free = asyncio.Semaphore(AT_ONCE)
    working: set[asyncio.Task[None]] = set()

    broken: list[Exception] = []

    async def answer(request: Request, before: asyncio.Task[None] | None) -> None:
        try:
            async with aclosing(answers(request)) as each:
                async for found in each:
                    if before is not None:
                        await asyncio.wait([before])
                    await made.put(found)
            if before is not None:
                await asyncio.wait([before])
        except Exception as error:  # noqa: BLE001  # it ends the stream, behind the answers to the others
            broken.append(error)
        finally:
            free.release()

    async def read() -> None:
        last: asyncio.Task[None] | None = None
        try:
            async for request in requests:
                await free.acquire()
                alone = unordered(request)
                task = asyncio.create_task(answer(request, None if alone else last))
                working.add(task)
                task.add_done_callback(working.discard)
                last = last if alone else task
        except Exception as error:  # noqa: BLE001  # the same
            broken.append(error)
        while working:
            await asyncio.wait(working)
        await made.put(None)

    reading = asyncio.create_task(read())
    try:
        while (found := await made.get()) is not None:
            yield found
        if broken:
            raise broken[0]
    finally:
        left = [reading, *working]
        for task in left:
            task.cancel()
        await asyncio.wait(left)
