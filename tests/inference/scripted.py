"""Servers that do what a test says, behind the client's own transport protocol: nothing of a network is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tritonclient.grpc import service_pb2 as pb

from eventbraid.inference import TritonClient
from eventbraid.inference.servers.given import Server
from eventbraid.inference.transport.base import Transport, TransportError
from eventbraid.kserve import Tensors

__all__ = ["Held", "Scripted", "client_of", "rows"]

REFUSED = TransportError("UNAVAILABLE", "failed to connect: Connection refused")
PATIENCE = 60.0
"""Seconds for which a test waits for a server, in virtual time."""


def rows(count: int = 1, value: float = 1.0) -> Tensors:
    """Inputs for the models of scripted servers: four bytes a row."""
    return {"x": np.full((count, 1), value, np.float32)}


@dataclass(eq=False)
class Held:
    """A request for inference that a server has."""

    request: Any
    seconds: float
    """Until its deadline."""
    compression: str = ""
    answer: asyncio.Future[bytes] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def model(self) -> str:
        return str(self.request.model_name)

    @property
    def x(self) -> Any:
        """The input, as a list of numbers."""
        return np.frombuffer(self.request.raw_input_contents[0], np.float32).tolist()

    @property
    def priority(self) -> int:
        return int(self.request.parameters["priority"].uint64_param)

    @property
    def outputs(self) -> list[str]:
        """Those wanted."""
        return [each.name for each in self.request.outputs]

    def succeed(self) -> None:
        """Answer with twice the input."""
        y = 2 * np.frombuffer(self.request.raw_input_contents[0], np.float32)
        self.reply(y)

    def reply(self, y: Any) -> None:
        """Answer with these rows."""
        answer = pb.ModelInferResponse(model_name=self.model)
        answer.outputs.add(name="y", datatype="FP32", shape=[len(y), 1])
        answer.raw_output_contents.append(np.asarray(y, np.float32).tobytes())
        self.say(answer.SerializeToString())

    def say(self, answer: bytes) -> None:
        """Answer with these bytes."""
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, code: str = "INTERNAL", details: str = "it failed") -> None:
        """Answer with an error."""
        if not self.answer.done():
            self.answer.set_exception(TransportError(code, details))


class Scripted:
    """A server whose models double their input; requests for inference are held until the test, or `at_once`, ends them."""

    def __init__(self, name: str = "one", *models: str, **bounds: Any) -> None:
        self.server = Server(f"{name}:8001", name=name, shared_memory=False, **bounds)
        self.models = set(models or ("m",))
        self.most_rows = 64
        self.ready = True
        self.faults: dict[str, TransportError | bytes] = {}
        """What it says to a method, or to a method of a model ("ModelMetadata m"), instead."""
        self.at_once: Callable[[Held], None] | None = None
        self.held: list[Held] = []
        self.requests: list[Held] = []
        """All that it ever had."""
        self.calls: list[str] = []
        self.transports: list[_Transport] = []
        self._up = True
        self._silent = False
        self._waiting: list[asyncio.Future[None]] = []

    def __repr__(self) -> str:
        return f"Scripted({self.server.name}, {len(self.held)} held)"

    @property
    def up(self) -> bool:
        """It takes connections."""
        return self._up

    @up.setter
    def up(self, up: bool) -> None:
        self._up = up
        self._tell()

    @property
    def silent(self) -> bool:
        """It keeps the connection and says nothing for as long as this is true."""
        return self._silent

    @silent.setter
    def silent(self, silent: bool) -> None:
        self._silent = silent
        self._tell()

    async def holds(self, count: int = 1) -> None:
        """Wait until it holds so many requests for inference, or more."""
        async with asyncio.timeout(PATIENCE):
            await self._until(lambda: len(self.held) >= count)

    async def was_asked(self, method: str, times: int = 1) -> None:
        """Wait until a method was called so often, or more."""
        async with asyncio.timeout(PATIENCE):
            await self._until(lambda: self.asked(method) >= times)

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; it is looked at whenever the server was told of something."""
        while not condition():
            told = asyncio.get_running_loop().create_future()
            self._waiting.append(told)
            await told

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for told in waiting:
            if not told.done():
                told.set_result(None)

    def connect(self) -> Transport:
        self.transports.append(_Transport(self))
        return self.transports[-1]

    def die(self) -> None:
        """Lose all connections, and refuse new ones."""
        self.up = False
        for each in list(self.held):
            each.fail("UNAVAILABLE", "Socket closed")

    def succeed(self) -> None:
        """Answer all that it has."""
        for each in list(self.held):
            each.succeed()

    def asked(self, method: str) -> int:
        """How often a method was called."""
        return self.calls.count(method)

    async def call(self, method: str, request: bytes, seconds: float, compression: str) -> bytes:
        self.calls.append(method)
        self._tell()
        await asyncio.sleep(0)
        await self._until(lambda: not (self.up and self.silent))
        if not self.up:
            raise TransportError(*REFUSED.args)
        made = REQUESTS[method].FromString(request)
        model = getattr(made, "model_name", "") or getattr(made, "name", "")
        fault = self.faults.get(f"{method} {model}", self.faults.get(method))
        if isinstance(fault, TransportError):
            raise TransportError(*fault.args)
        if fault is not None:
            return fault
        if model and model not in self.models:
            raise TransportError("NOT_FOUND", f"Request for unknown model: '{model}' is not found")
        if method == "ModelInfer":
            return await self._infer(Held(made, seconds, compression))
        answer: bytes = self._answer(method, model).SerializeToString()
        return answer

    async def _infer(self, request: Held) -> bytes:
        self.held.append(request)
        self.requests.append(request)
        self._tell()
        if self.at_once is not None:
            self.at_once(request)
        try:
            return await request.answer
        finally:
            self.held.remove(request)

    def _answer(self, method: str, model: str) -> Any:
        if method == "ServerReady":
            return pb.ServerReadyResponse(ready=self.ready)
        if method == "ServerLive":
            return pb.ServerLiveResponse(live=True)
        if method == "ModelMetadata":
            answer = pb.ModelMetadataResponse(name=model, versions=["1"])
            answer.inputs.add(name="x", datatype="FP32", shape=[-1, 1])
            answer.outputs.add(name="y", datatype="FP32", shape=[-1, 1])
            return answer
        if method == "ModelConfig":
            answer = pb.ModelConfigResponse()
            answer.config.max_batch_size = self.most_rows
            return answer
        if method == "RepositoryIndex":
            answer = pb.RepositoryIndexResponse()
            for each in sorted(self.models):
                answer.models.add(name=each, version="1", state="READY")
            return answer
        return pb.ModelStatisticsResponse()


REQUESTS: dict[str, Any] = {
    "ServerReady": pb.ServerReadyRequest,
    "ServerLive": pb.ServerLiveRequest,
    "ModelMetadata": pb.ModelMetadataRequest,
    "ModelConfig": pb.ModelConfigRequest,
    "ModelInfer": pb.ModelInferRequest,
    "ModelStatistics": pb.ModelStatisticsRequest,
    "RepositoryIndex": pb.RepositoryIndexRequest,
}


class _Transport:
    """One connection to a scripted server."""

    def __init__(self, server: Scripted) -> None:
        self.server = server
        self.closed = asyncio.Event()

    async def call(
        self,
        method: str,
        parts: Sequence[bytes | memoryview],
        *,
        timeout: float,  # noqa: ASYNC109
        compression: str = "",
    ) -> bytes:
        call = asyncio.ensure_future(self.server.call(method, b"".join(parts), timeout, compression))
        closing = asyncio.ensure_future(self.closed.wait())
        try:
            done, _ = await asyncio.wait([call, closing], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if call in done:
                return call.result()
            if closing in done:
                raise TransportError("UNAVAILABLE", "the connection was given up")
            raise TransportError("DEADLINE_EXCEEDED", "Deadline Exceeded")
        finally:
            call.cancel()
            closing.cancel()
            await asyncio.wait([call, closing])
            if not call.cancelled():
                call.exception()

    async def aclose(self) -> None:
        self.closed.set()
        await asyncio.sleep(0)


def client_of(*servers: Scripted, **options: Any) -> TritonClient:
    """A client of these servers."""
    by_name = {each.server.name: each for each in servers}
    return TritonClient(
        [each.server for each in servers], connect=lambda server: by_name[server.name].connect(), **options
    )
