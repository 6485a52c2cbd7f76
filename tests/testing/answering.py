"""A server that answers with what it was asked, and a client of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers with the id of the request."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.metadata: dict[str, Any] = {}
        self.cancelled = asyncio.Event()

    async def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ServerReadyResponse(ready=True)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request.id)
        self.metadata = dict(context.invocation_metadata())
        if request.model_name == "wrong":
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such model")
        if request.model_name == "slow":
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        return answer(request.id)

    async def ModelStreamInfer(self, requests: Any, context: Any) -> Any:  # noqa: N802
        async for request in requests:
            self.asked.append(request.id)
            if request.model_name == "wrong":
                await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such model")
            yield service_pb2.ModelStreamInferResponse(infer_response=answer(request.id))


def answer(number: str) -> Any:
    made = service_pb2.ModelInferResponse(id=number, raw_output_contents=[bytes(8)])
    made.outputs.add(name="y", datatype="FP32", shape=[1, 2])
    return made


class Client:
    """Asks a server, over one connection."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def infer(self, number: int = 1, model: str = "m", **options: Any) -> Any:
        return await self.stub.ModelInfer(service_pb2.ModelInferRequest(model_name=model, id=str(number)), **options)

    async def stream(self, count: int, model: str = "m") -> list[Any]:
        """What comes of so many requests in a stream: answers, and perhaps an error at the end."""
        requests = (service_pb2.ModelInferRequest(model_name=model, id=str(number + 1)) for number in range(count))
        call, found = self.stub.ModelStreamInfer(requests), list[Any]()
        with contextlib.suppress(grpc.aio.AioRpcError):
            async for each in call:
                found += [each.infer_response]
        code = await call.code()
        return found if code is grpc.StatusCode.OK else [*found, code]

    async def code(self, number: int = 1, **options: Any) -> grpc.StatusCode:
        """The status of a request."""
        try:
            await self.infer(number, **options)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK
