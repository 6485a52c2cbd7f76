"""What is asked where no server helps: a client of another kind, opened when it is first needed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Unpack

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventbraid.errors import (
    ConfigurationError,
    RequestError,
    ServerBusy,
    ServerError,
    ServerTimeout,
    ServerUnavailable,
)
from eventbraid.inference.client import InferenceClient, RequestOptions
from eventbraid.inference.retry import failure
from eventbraid.kserve import ModelMetadata, Tensors

__all__ = ["WithFallback"]

HELPS: Final = (ServerUnavailable, ServerBusy, ServerTimeout)
"""Errors after which another place may answer; a wrong request is wrong everywhere."""
NOT_SERVED: Final = "no server has the model"


class WithFallback:
    """Asks the first client, and the second where the first finds no server that answers.

    The second has the request's whole time again, for the first may have used it up.
    """

    def __init__(
        self,
        first: InferenceClient,
        open_second: Callable[[], Awaitable[InferenceClient]],
        say: Callable[[str], None],
    ) -> None:
        self._first = first
        self._open = open_second
        self._say = say
        self._second: InferenceClient | None = None
        self._lock = asyncio.Lock()
        self._closed = False
        self._unserved: set[tuple[str, str]] = set()
        self.fell_back: Counter[tuple[str, str]] = Counter()
        """Requests that the second answered, by model and reason."""

    def __repr__(self) -> str:
        return f"WithFallback({self._first!r}, {self._second!r})"

    async def metadata(self, model: str, version: str = "", *, timeout: float = 5.0) -> ModelMetadata:  # noqa: ASYNC109
        """See `InferenceClient.metadata`; the first's, else the second's."""
        try:
            return await self._first.metadata(model, version, timeout=timeout)
        except (RequestError, *HELPS) as error:
            try:
                second = await self._opened()
                found = await second.metadata(model, version, timeout=timeout)
            except ServerError as other:
                error.add_note(f"nor does the fallback help: {other}")
                raise error from None
            if isinstance(error, RequestError):
                self._unserved.add((model, version))
            self._say(f"warning: {error}; {model} falls back to {second!r}")
            return found

    def configs(self, model: str, version: str = "") -> Mapping[str, Any]:
        """Those that the first client knows: what falls back may run elsewhere in another way."""
        return self._first.configs(model, version)

    async def infer(self, model: str, inputs: Tensors, **options: Unpack[RequestOptions]) -> Tensors:
        """See `InferenceClient.infer`."""
        failed: ServerError | None = None
        if (model, options.get("version", "")) not in self._unserved:
            try:
                return await self._first.infer(model, inputs, **options)
            except HELPS as error:
                failed = error
        try:
            second = await self._opened()
            answer = await second.infer(model, inputs, **options)
        except ServerError as error:
            if failed is None:
                raise
            failed.add_note(f"nor does the fallback help: {error}")
            raise failed from error
        self.fell_back[model, NOT_SERVED if failed is None else failure(failed)] += 1
        return answer

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """An array for an input, in shared memory where the first client has some."""
        return getattr(self._first, "empty", np.empty)(shape, dtype)

    async def report(self) -> dict[str, Any]:
        """The first's report, with what fell back."""
        report = await self._first.report()
        fallback = [
            {"model": model, "reason": reason, "requests": count} for (model, reason), count in self.fell_back.items()
        ]
        return {**report, "fallback": fallback}

    async def aclose(self) -> None:
        """Close both."""
        self._closed = True
        try:
            await self._first.aclose()
        finally:
            async with self._lock:  # the second may just be opened
                if self._second is not None:
                    await self._second.aclose()

    async def _opened(self) -> InferenceClient:
        async with self._lock:
            if self._closed:
                raise ServerError("this client is closed")
            if self._second is None:
                try:
                    self._second = await self._open()
                except ConfigurationError as error:
                    raise ServerUnavailable(f"the fallback cannot be opened: {error}") from error
            return self._second
