"""Modules with inference as their external work: a user writes two conversions and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import FilePath

from eventbraid.errors import RequestError, nearest
from eventbraid.external_work import ExternalFilter, ExternalModule, ExternalProducer
from eventbraid.inference.client import Compression, RequestOptions
from eventbraid.inference.coalescing import Coalesce
from eventbraid.inference.config import check_config
from eventbraid.inference.gathering import together
from eventbraid.kserve import ModelMetadata, Tensors, check_inputs, check_names
from eventbraid.kserve.tensors import NUMPY_TYPES
from eventbraid.parameters import Parameter

if TYPE_CHECKING:
    from eventbraid.inference.client import InferenceClient
    from eventbraid.resources import Resources

__all__ = [
    "InferenceFilter",
    "InferenceProducer",
    "RaggedInferenceFilter",
    "RaggedInferenceProducer",
    "empty_answer",
]

A = TypeVar("A")


class _Inference(ExternalModule[A, A]):
    model = Parameter[str](doc="the model's name on the servers", min_length=1)
    version = Parameter("", doc="the model's version; the server's choice where empty")
    config = Parameter[FilePath | None](None, doc="a config.pbtxt that the servers' configurations are to agree with")
    timeout = Parameter(30.0, gt=0, doc="seconds for a request, all tries together")
    tries = Parameter(0, ge=0, doc="how often a request is sent at most; 0: as often as the timeout allows")
    preferred_server = Parameter("", doc="the server to be asked as long as it is ready and has room")
    requested_outputs = Parameter[tuple[str, ...]]((), doc="the model's outputs to be sent; all where empty")
    priority = Parameter(0, ge=0, doc="of its requests on the server, 1 the highest; 0: the model's default")
    compression = Parameter[Compression]("", doc="of requests and answers: gzip or deflate")
    batch_size = Parameter(0, ge=0, doc="rows a request, an event's requests at once; 0: as many as the model takes")
    hedge_after = Parameter[float | None](None, gt=0, doc="seconds until another server is asked too")
    coalesce = Parameter[Coalesce | None](None, doc="join the requests of several events")

    _client: InferenceClient
    _metadata: ModelMetadata
    _options: RequestOptions
    _empty: Callable[[Sequence[int], Any], NDArray[Any]]

    async def _connect(self, resources: Resources) -> None:
        from eventbraid.inference.connect import client_of

        self._client = await client_of(resources)
        self._metadata = await self._client.metadata(self.model, self.version)
        check_names(self._metadata, self.requested_outputs)
        if self.config is not None:
            check_config(self.config, self.model, self._client.configs(self.model, self.version))
        self._empty = getattr(self._client, "empty", np.empty)
        self._options = {
            "version": self.version,
            "outputs": self.requested_outputs,
            "timeout": self.timeout,
            "tries": self.tries,
            "priority": self.priority,
            "preferred_server": self.preferred_server,
            "compression": self.compression,
            "batch_size": self.batch_size,
            "hedge_after": self.hedge_after,
            "coalesce": self.coalesce,
        }

    def buffer(self, name: str, rows: int | Sequence[int]) -> NDArray[Any]:
        """An array for the model's input of that name, to be filled in place in `acquire`.

        `rows` is its first dimension, or its whole shape. It lies in shared memory where a server of this host
        takes it from there without a copy. Raises `RequestError` where the model has no such input.
        """
        specs = {spec.name: spec for spec in self._metadata.inputs}
        spec = specs.get(name)
        if spec is None:
            raise RequestError(f"there is no input {name!r}, {nearest(name, specs)}", model=self.model)
        shape = tuple(rows) if isinstance(rows, Sequence) else (rows, *spec.shape[1:])
        if not spec.accepts(shape) or -1 in shape:
            raise RequestError(
                f"no input {spec} has the shape {list(shape)}: give all its dimensions", model=self.model
            )
        return self._empty(shape, NUMPY_TYPES[spec.dtype])

    async def _ask(self, inputs: Tensors) -> Tensors:
        """Ask the model; nothing is asked where every input has no row, and no row in means no row out."""
        if has_no_rows(inputs) and all(spec.shape[:1] == (-1,) for spec in self._metadata.outputs):
            check_inputs(self._metadata, inputs)
            return empty_answer(self._metadata, self.requested_outputs)
        return await self._client.infer(self.model, inputs, **self._options)


class _Rectangular(_Inference[Tensors]):
    async def external_work(self, acquired: Tensors) -> Tensors:
        """Ask the model once."""
        return await self._ask(acquired)


class _Ragged(_Inference[list[Tensors]]):
    async def external_work(self, acquired: list[Tensors]) -> list[Tensors]:
        """Ask the model once for each entry, all at the same time."""
        check_entries(acquired, self.model)
        return await together([self._ask(entry) for entry in acquired])


class InferenceProducer(_Rectangular, ExternalProducer[Tensors, Tensors]):
    """A producer whose external work is a model: `acquire` gives its inputs, `produce` takes its outputs by name.

    All modules of a job share one client of the job's servers. That the model exists is checked before the
    first event; that the tensors fit it, with each request.
    """


class InferenceFilter(_Rectangular, ExternalFilter[Tensors, Tensors]):
    """A filter whose external work is a model: `acquire` gives its inputs, `filter` decides on its outputs."""


class RaggedInferenceProducer(_Ragged, ExternalProducer[list[Tensors], list[Tensors]]):
    """The same for entries of different shapes: `acquire` gives the inputs of each, `produce` takes its outputs.

    Every entry is a request of its own, and all of an event are sent at once (CMSSW's ragged batching).
    """


class RaggedInferenceFilter(_Ragged, ExternalFilter[list[Tensors], list[Tensors]]):
    """A filter of that kind."""


def check_entries(entries: object, model: str) -> None:
    """Raise `RequestError` unless that is a list, as ragged inputs are."""
    if not isinstance(entries, (list, tuple)):
        raise RequestError(f"the inputs are no list of entries but {type(entries).__name__}", model=model)


def has_no_rows(inputs: object) -> bool:
    """True for tensors, one or more, that have no row each."""
    if not isinstance(inputs, Mapping) or not inputs:
        return False
    return all(getattr(array, "shape", ())[:1] == (0,) for array in inputs.values())


def empty_answer(metadata: ModelMetadata, names: tuple[str, ...] = ()) -> Tensors:
    """A model's outputs for no rows: every variable dimension, of which the first is one, is 0; read-only."""
    answer: Tensors = {}
    for spec in metadata.outputs:
        if names and spec.name not in names:
            continue
        dtype: Any = NUMPY_TYPES[spec.dtype]
        array = answer[spec.name] = np.empty([0 if size == -1 else size for size in spec.shape], dtype)
        array.flags.writeable = False
    return answer
