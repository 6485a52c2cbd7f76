"""A server that asks another one and changes its answers: it says what it serves as that does, and then lies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import grpc
import numpy as np
from tritonclient.grpc import service_pb2

Lie = Callable[[Any], bytes]
"""From a good ModelInferResponse to the bytes of a bad one."""
OPTIONS = [("grpc.so_reuseport", 0)]


def another_rank(answer: Any) -> bytes:
    for output in answer.outputs:
        output.shape.append(1)
    return bytes(answer.SerializeToString())


def a_row_less(answer: Any) -> bytes:
    for number, output in enumerate(answer.outputs):
        content = answer.raw_output_contents[number]
        answer.raw_output_contents[number] = content[: len(content) // output.shape[0] * (output.shape[0] - 1)]
        output.shape[0] -= 1
    return bytes(answer.SerializeToString())


def more_rows_than_bytes(answer: Any) -> bytes:
    for output in answer.outputs:
        output.shape[0] += 1
    return bytes(answer.SerializeToString())


def another_type(answer: Any) -> bytes:
    for number, output in enumerate(answer.outputs):
        numbers = np.frombuffer(answer.raw_output_contents[number], np.float32)
        output.datatype = "FP64"
        answer.raw_output_contents[number] = numbers.astype(np.float64).tobytes()
    return bytes(answer.SerializeToString())


def another_name(answer: Any) -> bytes:
    for output in answer.outputs:
        output.name += "_"
    return bytes(answer.SerializeToString())


def too_few_contents(answer: Any) -> bytes:
    del answer.raw_output_contents[-1]
    return bytes(answer.SerializeToString())


def no_outputs(answer: Any) -> bytes:
    return b""


def garbage(answer: Any) -> bytes:
    return b"\xff" * 64


LIES: tuple[Lie, ...] = (
    another_rank,
    a_row_less,
    more_rows_than_bytes,
    another_type,
    another_name,
    too_few_contents,
    no_outputs,
    garbage,
)


class Liar(grpc.GenericRpcHandler):
    """Answers for the server `truth`, with a lie to every ModelInfer; `told` counts them.

    Of an output in shared memory it changes what it says of it.
    """

    def __init__(self, truth: str, lie: Lie) -> None:
        self._truth, self._lie = truth, lie
        self.told = 0
        self.address = ""

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._truth)
        self._server = grpc.aio.server(options=OPTIONS)
        self._server.add_generic_rpc_handlers((self,))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)
        await self._channel.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = str(handler_call_details.method)

        async def answer(request: bytes, context: Any) -> bytes:
            try:
                data: bytes = await self._channel.unary_unary(method)(request, timeout=10)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
                raise AssertionError("abort raises") from error
            if not method.endswith("/ModelInfer"):
                return data
            self.told += 1
            return self._lie(service_pb2.ModelInferResponse.FromString(data))

        return grpc.unary_unary_rpc_method_handler(answer)
