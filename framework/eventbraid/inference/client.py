"""What every inference client does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict, Unpack

from eventbraid.kserve import ModelMetadata, Tensors

if TYPE_CHECKING:
    from eventbraid.inference.coalescing import Coalesce

__all__ = ["Compression", "InferenceClient", "RequestOptions"]

Compression: TypeAlias = Literal["", "gzip", "deflate"]


class RequestOptions(TypedDict, total=False):
    """How a model is asked; everything may be left out."""

    version: str
    """The model's version; the server's choice where empty."""
    outputs: Sequence[str]
    """The outputs wanted; all where empty."""
    timeout: float
    """Seconds for the request: one deadline over all tries, handed on to the server; 30."""
    tries: int
    """How often it is sent at most; 0, the default: as often as the deadline allows."""
    priority: int
    """The request's priority on the server, 1 the highest; 0: the model's default."""
    preferred_server: str
    """The name of the server to be asked as long as it is ready and has room."""
    compression: Compression
    """Of request and answer on the wire; none by default."""
    batch_size: int
    """Rows a request: more rows are sent as several requests at once; 0: as many as the model takes."""
    hedge_after: float | None
    """Seconds after which another server is asked too, and the first answer is taken; None: never."""
    coalesce: Coalesce | None
    """Join the requests of several events to one; None: never."""


class InferenceClient(Protocol):
    """Runs models somewhere: on a Triton server, in this process, or as a fake in a test."""

    async def metadata(self, model: str, version: str = "", *, timeout: float = 5.0) -> ModelMetadata:  # noqa: ASYNC109
        """What the model takes and gives; raises `RequestError` if there is no such model."""
        ...

    def configs(self, model: str, version: str = "") -> Mapping[str, Any]:
        """Each server's ModelConfig of a model whose metadata were asked for; None for one that does not tell."""
        ...

    async def infer(self, model: str, inputs: Tensors, **options: Unpack[RequestOptions]) -> Tensors:
        """The model's outputs, all or those named; arrays are read-only.

        Raises `RequestError` where the request does not fit the model, `ServerTimeout` after `timeout`
        seconds over all tries, `ServerUnavailable` where no server answers, `ServerError` otherwise.
        Cancelling it cancels the request.
        """
        ...

    async def report(self) -> dict[str, Any]:
        """What was asked, and how it went, as plain numbers, strings, lists and dictionaries."""
        ...

    async def aclose(self) -> None:
        """Give up connections, threads and servers of its own."""
        ...
