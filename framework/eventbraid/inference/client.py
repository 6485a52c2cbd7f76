"""What every inference client does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eventbraid.kserve import ModelMetadata, Tensors

__all__ = ["InferenceClient"]


class InferenceClient(Protocol):
    """Runs models somewhere: on a Triton server, in this process, or as a fake in a test."""

    async def metadata(self, model: str, version: str = "", *, timeout: float = 5.0) -> ModelMetadata:  # noqa: ASYNC109
        """What the model takes and gives; raises `RequestError` if there is no such model."""
        ...

    async def infer(
        self,
        model: str,
        inputs: Tensors,
        *,
        version: str = "",
        outputs: Sequence[str] = (),
        timeout: float = 30.0,  # noqa: ASYNC109  # one deadline, handed on to the server
    ) -> Tensors:
        """The model's outputs, all or those named; arrays are read-only.

        Raises `RequestError` where the request does not fit the model, `ServerTimeout` after `timeout`
        seconds over all tries, `ServerUnavailable` where no server answers, `ServerError` otherwise.
        Cancelling it cancels the request.
        """
        ...

    async def aclose(self) -> None:
        """Give up connections, threads and servers of its own."""
        ...
