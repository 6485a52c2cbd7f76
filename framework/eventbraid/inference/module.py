"""Modules with inference as their external work: a user writes two conversions and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eventbraid.external_work import ExternalFilter, ExternalModule, ExternalProducer
from eventbraid.kserve import ModelMetadata, Tensors, check_inputs
from eventbraid.kserve.tensors import NUMPY_TYPES
from eventbraid.parameters import Parameter

if TYPE_CHECKING:
    from eventbraid.inference.client import InferenceClient
    from eventbraid.resources import Resources

__all__ = ["InferenceFilter", "InferenceProducer", "empty_answer"]


class _Inference(ExternalModule[Tensors, Tensors]):
    model = Parameter[str](doc="the model's name on the servers", min_length=1)
    version = Parameter("", doc="the model's version; the server's choice where empty")
    timeout = Parameter(30.0, gt=0, doc="seconds for a request, all tries together")

    _client: InferenceClient
    _metadata: ModelMetadata

    async def _connect(self, resources: Resources) -> None:
        from eventbraid.inference.connect import client_of

        self._client = await client_of(resources)
        self._metadata = await self._client.metadata(self.model, self.version)

    async def external_work(self, acquired: Tensors) -> Tensors:
        """Ask the model; nothing is asked where every input has no row, and no row in means no row out."""
        if (
            acquired
            and all(getattr(array, "shape", ())[:1] == (0,) for array in acquired.values())
            and all(spec.shape[:1] == (-1,) for spec in self._metadata.outputs)
        ):
            check_inputs(self._metadata, acquired)
            return empty_answer(self._metadata)
        return await self._client.infer(self.model, acquired, version=self.version, timeout=self.timeout)


class InferenceProducer(_Inference, ExternalProducer[Tensors, Tensors]):
    """A producer whose external work is a model: `acquire` gives its inputs, `produce` takes its outputs by name.

    All modules of a job share one client of the job's servers. That the model exists is checked before the
    first event; that the tensors fit it, with each request.
    """


class InferenceFilter(_Inference, ExternalFilter[Tensors, Tensors]):
    """A filter whose external work is a model: `acquire` gives its inputs, `filter` decides on its outputs."""


def empty_answer(metadata: ModelMetadata) -> Tensors:
    """A model's outputs for no rows: every variable dimension, of which the first is one, is 0; read-only."""
    answer: Tensors = {}
    for spec in metadata.outputs:
        dtype: Any = NUMPY_TYPES[spec.dtype]
        array = answer[spec.name] = np.empty([0 if size == -1 else size for size in spec.shape], dtype)
        array.flags.writeable = False
    return answer
