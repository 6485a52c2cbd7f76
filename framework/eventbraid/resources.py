"""What modules of a job share: made at the first request, closed when the job ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventbraid.job import Job

__all__ = ["Resources"]


class Resources:
    """One object a key and job, closed by its `aclose()` in the reverse order of making."""

    def __init__(self, job: Job, say: Callable[[str], None]) -> None:
        self.job = job
        self.say = say
        self._made: dict[str, Any] = {}
        self._lock = asyncio.Lock()

    async def get(self, key: str, factory: Callable[[], Awaitable[Any]]) -> Any:
        """The object of that key, made by `factory` if this is the first request."""
        async with self._lock:
            if key not in self._made:
                self._made[key] = await factory()
            return self._made[key]

    async def report(self, key: str) -> dict[str, Any]:
        """What the object of that key says of its work; empty where there is none."""
        made = self._made.get(key)
        return {} if made is None else await made.report()

    async def close(self) -> None:
        """Close everything, also when one of them raises; the first error is raised at the end."""
        errors: list[Exception] = []
        while self._made:
            _, made = self._made.popitem()
            try:
                await made.aclose()
            except Exception as error:  # noqa: BLE001  # the others must be closed too
                errors.append(error)
        if errors:
            raise errors[0]

    def __repr__(self) -> str:
        return f"Resources({', '.join(self._made) or 'nothing made'})"
