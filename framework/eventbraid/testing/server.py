"""A server before another one that misbehaves request by request."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Self

from eventbraid.address import check_address
from eventbraid.errors import ConfigurationError, need_extra
from eventbraid.testing.disturbance import Disturbance
from eventbraid.testing.script import Faults, Script, script_of

__all__ = ["FaultyServer"]

SERVER_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Two servers on one port would share its requests at random.
    ("grpc.so_reuseport", 0),
)
CHANNEL_OPTIONS: Final = (
    *SERVER_OPTIONS[:2],
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
STREAMS: Final = ("ModelStreamInfer", "ServerReflectionInfo", "Watch")
"""Calls with more than one answer."""
OUR_OWN: Final = ("grpc-", "user-agent", "content-type", "te")
"""Metadata that every connection makes for itself begin like this."""


class FaultyServer:
    """Stands before a KServe v2 server (gRPC, no TLS) and asks it, but for the faults that some requests get:

    `async with FaultyServer("127.0.0.1:8001", [Fault(kind="cut", every=10)]) as server: ... server.address`

    `faults` are a list, a TOML file or a `Script`, which may be replaced at any time; `struck` counts those of the
    script by kind.
    """

    def __init__(
        self,
        target: str,
        faults: Faults = (),
        *,
        port: int = 0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target, self._port = check_address(target), port
        self._script, self._sleep, self._now = script_of(faults), sleep, now
        self._disturbance: Disturbance | None = None
        self.address = ""

    @property
    def script(self) -> Script:
        """What happens to which requests; one that is put in its place counts from its first request."""
        return self._script

    @script.setter
    def script(self, faults: Faults) -> None:
        self._script = script_of(faults)
        if self._disturbance is not None:
            self._disturbance.script = self._script

    @property
    def struck(self) -> Counter[str]:
        """How many requests each kind of fault has happened to."""
        return self._script.struck

    async def __aenter__(self) -> Self:
        grpc: Any = need_extra("grpc", "inference", "a server with faults")
        self._disturbance = Disturbance(self._script, sleep=self._sleep, now=self._now)
        self._channel = grpc.aio.insecure_channel(self._target, options=CHANNEL_OPTIONS)
        self._server = grpc.aio.server(interceptors=[self._disturbance.interceptor()], options=SERVER_OPTIONS)
        self._server.add_generic_rpc_handlers((_forwarding(grpc, self._channel),))
        try:
            port = self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        except RuntimeError as error:
            await self._channel.close()
            what = f"port {self._port} cannot be used: is another server running there?"
            raise ConfigurationError(what, "the faulty server") from error
        await self._server.start()
        self.address = f"127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)
        await self._channel.close()


def _forwarding(grpc: Any, channel: Any) -> Any:
    """A handler that asks another server whatever it is asked, byte by byte."""

    def options(context: Any) -> dict[str, Any]:
        sent = context.invocation_metadata() or ()
        metadata = [(key, value) for key, value in sent if not key.startswith(OUR_OWN)]
        return {"timeout": context.time_remaining(), "metadata": metadata}

    class Forwarding(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc is imported late
        """Knows nothing of a call but whether it is a stream."""

        def service(self, handler_call_details: Any) -> Any:
            method = str(handler_call_details.method)

            async def answer(request: bytes, context: Any) -> bytes:
                try:
                    return bytes(await channel.unary_unary(method)(request, **options(context)))
                except grpc.aio.AioRpcError as error:
                    await context.abort(error.code(), error.details() or "")
                    raise AssertionError("abort raises") from error

            async def answers(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
                try:
                    async for each in channel.stream_stream(method)(requests, **options(context)):
                        yield each
                except grpc.aio.AioRpcError as error:
                    await context.abort(error.code(), error.details() or "")

            if method.endswith(STREAMS):
                return grpc.stream_stream_rpc_method_handler(answers)
            return grpc.unary_unary_rpc_method_handler(answer)

    return Forwarding()
