"""What the client adds to a request of 4 floats: choice, retry, limits and report, in microseconds of CPU.

The transport answers at once. The client is compared with what no client can do without: the same bytes put
together, sent over that transport, the answer taken apart. Both run in turns on one loop; prints a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from time import thread_time
from typing import Final

import numpy as np
import uvloop
from tritonclient.grpc import service_pb2

from eventbraid.inference import TritonClient
from eventbraid.inference.transport.base import Transport
from eventbraid.kserve.wire import parse_answer, request_head, request_parts

MODEL: Final = "same"
ROUNDS, REQUESTS = 15, 1_000


def answers() -> dict[str, bytes]:
    """What a server with the model answers, by method."""
    tensor = {"datatype": "FP32", "shape": [-1, 4]}
    metadata = service_pb2.ModelMetadataResponse(name=MODEL, versions=["1"])
    metadata.inputs.add(name="x", **tensor)
    metadata.outputs.add(name="y", **tensor)
    config = service_pb2.ModelConfigResponse()
    config.config.name, config.config.max_batch_size = MODEL, 64
    index = service_pb2.RepositoryIndexResponse()
    index.models.add(name=MODEL, version="1", state="READY")
    answer = service_pb2.ModelInferResponse(model_name=MODEL, model_version="1")
    answer.outputs.add(name="y", datatype="FP32", shape=[1, 4])
    answer.raw_output_contents.append(np.ones(4, np.float32).tobytes())
    statistics = service_pb2.ModelStatisticsResponse()
    messages = {
        "ModelStatistics": statistics,
        "ModelMetadata": metadata,
        "ModelConfig": config,
        "RepositoryIndex": index,
        "ModelInfer": answer,
    }
    return {method: message.SerializeToString() for method, message in messages.items()}


class AtOnce:
    """A transport whose server is infinitely fast."""

    def __init__(self) -> None:
        self._answers = answers()

    async def call(
        self,
        method: str,
        parts: Sequence[bytes | memoryview],
        *,
        timeout: float,  # noqa: ASYNC109
        compression: str = "",
    ) -> bytes:
        return self._answers[method]

    async def aclose(self) -> None: ...


async def measure() -> list[float]:
    """Microseconds that the client adds to a request, in each round."""
    tensors = {"x": np.ones((1, 4), np.float32)}
    head = request_head(MODEL, "", tensors, ())
    transport: Transport = AtOnce()
    client = TritonClient(["127.0.0.1:1"], connect=lambda server: transport)

    async def bare() -> None:
        parse_answer(await transport.call("ModelInfer", request_parts(head, tensors), timeout=30.0))

    async def ours() -> None:
        await client.infer(MODEL, tensors)

    async def cost(ask: Callable[[], Awaitable[None]]) -> float:
        """Microseconds a request."""
        began = thread_time()
        for _ in range(REQUESTS):
            await ask()
        return 1e6 * (thread_time() - began) / REQUESTS

    await cost(ours)
    added = [await cost(ours) - await cost(bare) for _ in range(ROUNDS)]
    await client.aclose()
    return added


def main() -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measure())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
