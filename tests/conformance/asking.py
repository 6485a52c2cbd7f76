"""What tests ask servers with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import grpc
import numpy as np
from gates import PATIENCE
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, service_pb2
from tritonclient.utils import InferenceServerException, np_to_triton_dtype


def given(name: str, array: NDArray[Any]) -> InferInput:
    """An input with the type and the shape of an array."""
    return InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)).set_data_from_numpy(array)


def ones(*shape: int, name: str = "x") -> InferInput:
    return given(name, np.ones(shape, np.float32))


def raw(model: str, tensors: dict[str, tuple[str, list[int]]], contents: list[bytes], **more: Any) -> Any:
    """A request as the protocol has it, right or wrong: {input: (type, shape)}, and the raw contents."""
    request = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=contents, **more)
    for name, (datatype, shape) in tensors.items():
        request.inputs.add(name=name, datatype=datatype, shape=shape)
    return request


class Refusal(NamedTuple):
    """The status ("NOT_FOUND") and the words with which a call was refused."""

    status: str
    words: str

    def says(self, status: str, words: str) -> bool:
        """True where it has this status and, maybe among others, these words."""
        return self.status == status and words in self.words


async def refusal(call: Awaitable[Any]) -> Refusal:
    """How a call is refused."""
    try:
        answer = await call
    except InferenceServerException as error:
        return Refusal(str(error.status()).removeprefix("StatusCode."), str(error.message()))
    except grpc.aio.AioRpcError as error:
        return Refusal(error.code().name, error.details() or "")
    raise AssertionError(f"the call was not refused but answered with {answer}")


@dataclass(frozen=True)
class Counts:
    """A model's statistics, and their difference from earlier ones."""

    inferences: int
    executions: int
    success: int
    fail: int
    times: dict[str, int] = field(compare=False)
    """Counts of queue, compute_input, compute_infer and compute_output."""
    nanoseconds: dict[str, int] = field(compare=False)
    batches: dict[int, int]
    """{batch size: executions}"""

    @classmethod
    async def of(cls, client: Any, model: str, version: str = "1") -> Self:
        """The statistics that a server has of a model."""
        (found,) = (await client.get_inference_statistics(model, version)).model_stats
        stats = found.inference_stats
        times = {name: getattr(stats, name) for name in ("queue", "compute_input", "compute_infer", "compute_output")}
        return cls(
            found.inference_count,
            found.execution_count,
            stats.success.count,
            stats.fail.count,
            {name: time.count for name, time in times.items()},
            {name: time.ns for name, time in {**times, "success": stats.success, "fail": stats.fail}.items()},
            {each.batch_size: each.compute_infer.count for each in found.batch_stats},
        )

    async def since(self, client: Any, model: str, requests: int) -> Self:
        """What has been added, once that many more requests have been counted: Triton answers before it counts."""
        async with asyncio.timeout(PATIENCE):
            while True:
                now = await self.of(client, model)
                if now.success + now.fail >= self.success + self.fail + requests:
                    return now - self

    def __sub__(self, other: Self) -> Self:
        batches = {size: count - other.batches.get(size, 0) for size, count in self.batches.items()}
        return type(self)(
            self.inferences - other.inferences,
            self.executions - other.executions,
            self.success - other.success,
            self.fail - other.fail,
            {name: count - other.times[name] for name, count in self.times.items()},
            {name: count - other.nanoseconds[name] for name, count in self.nanoseconds.items()},
            {size: count for size, count in batches.items() if count},
        )
