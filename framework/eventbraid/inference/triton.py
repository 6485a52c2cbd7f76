"""The client of Triton, and of every server of its protocol, over gRPC."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Final, TypeVar

from eventbraid.address import check_address
from eventbraid.errors import (
    ConfigurationError,
    RequestError,
    ServerError,
    ServerTimeout,
    ServerUnavailable,
    nearest,
    need_extra,
)
from eventbraid.kserve import ModelMetadata, Tensors, check_inputs, check_names, check_response
from eventbraid.kserve.tensors import protocol_type
from eventbraid.kserve.wire import metadata_from, parse_answer, protocol, request_bytes, request_head
from eventbraid.whereabouts import waiting_on

__all__ = ["TritonClient", "server_error"]

T = TypeVar("T")

OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Servers are named directly; a proxy of the environment would be asked even for this machine.
    ("grpc.enable_http_proxy", 0),
    # Back within half a second of a restart; gRPC's own back-off takes many seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between tries: at first, and at most; each is drawn between half and all of that."""
SERVICE: Final = "/inference.GRPCInferenceService/"


class _Server:
    """A channel to one server, and what it serves."""

    def __init__(self, address: str) -> None:
        grpc = need_extra("grpc", "inference", "talking to an inference server")
        self.address = address
        self.outstanding = 0
        self.channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self.infer = self.channel.unary_unary(f"{SERVICE}ModelInfer")
        stubs = need_extra("tritonclient.grpc.service_pb2_grpc", "inference", "talking to an inference server")
        self.stub = stubs.GRPCInferenceServiceStub(self.channel)
        self.models: dict[tuple[str, str], ModelMetadata] = {}

    def __repr__(self) -> str:
        return f"_Server({self.address}, {self.outstanding} outstanding)"


async def _close(servers: Sequence[_Server]) -> None:
    for server in servers:
        await server.channel.close()


class TritonClient:
    """Inference on one or several servers, with channels of its own for every event loop that uses it.

    A request goes to the server of the model with the least outstanding work. One that found its server
    away is tried again after a jittered pause, elsewhere where there is an elsewhere, until its deadline.
    """

    def __init__(self, servers: Sequence[str]) -> None:
        if not servers:
            raise ConfigurationError("a client needs at least one server", "servers")
        self._addresses = [check_address(address) for address in servers]
        self._servers: dict[asyncio.AbstractEventLoop, list[_Server]] = {}
        """A channel works on the loop alone on which it was made; in threads mode there is one in each thread."""
        self._heads: dict[tuple[Any, ...], bytes] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"TritonClient({', '.join(self._addresses)})"

    def _open(self) -> list[_Server]:
        if self._closed:
            raise ServerError("this client is closed", server=", ".join(self._addresses))
        loop = asyncio.get_running_loop()
        servers = self._servers.get(loop)
        if servers is None:
            servers = self._servers[loop] = [_Server(address) for address in self._addresses]
        return servers

    async def metadata(self, model: str, version: str = "", *, timeout: float = 5.0) -> ModelMetadata:  # noqa: ASYNC109
        """See `InferenceClient.metadata`."""
        (_, metadata), *_ = await self._serving(model, version, monotonic() + timeout)
        return metadata

    async def infer(
        self,
        model: str,
        inputs: Tensors,
        *,
        version: str = "",
        outputs: Sequence[str] = (),
        timeout: float = 30.0,  # noqa: ASYNC109
    ) -> Tensors:
        """See `InferenceClient.infer`."""
        deadline = monotonic() + timeout
        serving = await self._serving(model, version, deadline)
        check_inputs(serving[0][1], inputs, serving[0][0].address)
        check_names(serving[0][1], outputs, serving[0][0].address)
        request = request_bytes(self._head(model, version, inputs, outputs), inputs)
        failed: set[str] = set()

        async def attempt() -> Tensors:
            candidates = [each for each in serving if each[0].address not in failed] or serving
            server, metadata = min(candidates, key=lambda each: each[0].outstanding)
            server.outstanding += 1
            try:
                answer = await self._ask(server, model, server.infer, request, deadline)
            except ServerUnavailable:
                failed.add(server.address)
                raise
            finally:
                server.outstanding -= 1
            tensors = parse_answer(answer, server.address, model)
            check_response(metadata, tensors, outputs, server.address)
            return tensors

        return await self._persist(attempt, deadline)

    async def aclose(self) -> None:
        """Close the channels; requests in flight end as cancelled, and none is taken from here on."""
        self._closed = True
        here = asyncio.get_running_loop()
        while self._servers:
            loop, servers = self._servers.popitem()
            closing = _close(servers)
            if loop is here:
                await closing
            elif loop.is_closed():
                closing.close()
            else:  # that of a thread which waits for work
                await asyncio.to_thread(loop.run_until_complete, closing)

    def _head(self, model: str, version: str, inputs: Tensors, outputs: Sequence[str]) -> bytes:
        shapes = tuple((name, protocol_type(array), array.shape) for name, array in inputs.items())
        key = (model, version, shapes, tuple(outputs))
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= 1024:  # every event may have a shape of its own
                self._heads.clear()
            head = self._heads[key] = request_head(model, version, inputs, outputs)
        return head

    async def _serving(self, model: str, version: str, deadline: float) -> list[tuple[_Server, ModelMetadata]]:
        """The servers that have the model; the first question to each is asked once."""
        known = [(each, each.models[model, version]) for each in self._open() if (model, version) in each.models]
        if known:
            return known
        return await self._persist(lambda: self._discover(model, version, deadline), deadline)

    async def _discover(self, model: str, version: str, deadline: float) -> list[tuple[_Server, ModelMetadata]]:
        request = protocol().ModelMetadataRequest(name=model, version=version)
        errors: list[ServerError] = []
        found: list[tuple[_Server, ModelMetadata]] = []
        servers = self._open()
        for number, server in enumerate(servers):
            # One that is frozen must not use up the time of those behind it.
            until = monotonic() + (deadline - monotonic()) / (len(servers) - number)
            try:
                answer = await self._ask(server, model, server.stub.ModelMetadata, request, until)
            except ServerError as error:
                errors.append(error)
                continue
            metadata = server.models[model, version] = metadata_from(answer)
            found.append((server, metadata))
        if found:
            return found
        away = [error for error in errors if isinstance(error, ServerUnavailable)]
        if away:
            raise away[0]
        raise await self._unknown(errors[0], model, deadline)

    async def _unknown(self, error: ServerError, model: str, deadline: float) -> ServerError:
        """The error of a model that nobody serves, with what there is."""
        if not isinstance(error, RequestError):
            return error
        served: list[tuple[str, str]] = []
        for server in self._open():
            try:
                request = protocol().RepositoryIndexRequest()
                index = await self._ask(server, model, server.stub.RepositoryIndex, request, deadline)
            except ServerError:
                continue
            served += [(each.name, each.version) for each in index.models]
        versions = sorted({version for name, version in served if name == model})
        hint = nearest(model, (name for name, _ in served)) or "it serves no model"
        if versions:
            hint = f"there is version {', '.join(versions)}"
        return RequestError(f"{error.args[0]} ({hint})", server=error.server, model=model)

    async def _ask(self, server: _Server, model: str, call: Callable[..., Any], request: Any, deadline: float) -> Any:
        grpc = need_extra("grpc", "inference", "talking to an inference server")
        left = deadline - monotonic()
        if left <= 0:
            raise ServerTimeout("the deadline passed", server=server.address, model=model)
        try:
            with waiting_on(server.address):
                return await call(request, timeout=left)
        except grpc.aio.AioRpcError as error:
            raise server_error(error.code().name, error.details() or "", server.address, model) from error

    async def _persist(self, attempt: Callable[[], Awaitable[T]], deadline: float) -> T:
        """Try until it works or fails for good, or until the deadline."""
        pause, away = FIRST_PAUSE, ""
        while True:
            try:
                return await attempt()
            except ServerTimeout as error:
                if away:
                    error.add_note(f"before that: {away}")
                raise
            except ServerUnavailable as error:
                away = str(error)
                wait = pause * random.uniform(0.5, 1.0)
                if monotonic() + wait >= deadline:
                    raise
                await asyncio.sleep(wait)
                pause = min(2 * pause, LONGEST_PAUSE)


def server_error(code: str, details: str, server: str, model: str) -> ServerError:
    """The error for a gRPC status: is the server away, the time over, the request wrong, or the server at fault?"""
    going_away = code == "NOT_FOUND" and "no available versions" in details
    if code == "UNAVAILABLE" or going_away:
        return ServerUnavailable(details or "not reachable", server=server, model=model)
    if code == "DEADLINE_EXCEEDED":
        return ServerTimeout("no answer before the deadline", server=server, model=model)
    if code in ("INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED", "UNAUTHENTICATED", "PERMISSION_DENIED"):
        return RequestError(details or code, server=server, model=model)
    return ServerError(f"{code}: {details}", server=server, model=model)
