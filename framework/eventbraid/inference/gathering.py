"""Several requests at once, and none left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from eventbraid.whereabouts import waiting_for

__all__ = ["end", "together"]

T = TypeVar("T")


async def together(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all, in order; the first error ends the others, and is raised when they have ended."""
    if len(works) == 1:
        return [await works[0]]
    tasks = [asyncio.create_task(work) for work in works]
    try:
        with waiting_for(tasks):
            return list(await asyncio.gather(*tasks))
    finally:
        await end(tasks)


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel those that still run and wait for their end; what they raise is dropped."""
    every = list(tasks)
    left = [task for task in every if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
    for task in every:
        if not task.cancelled():
            task.exception()  # seen, whoever asks for it
