"""Bytes to a server and back: the smallest thing that the client needs of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from eventbraid.errors import need_extra
from eventbraid.inference.servers.security import handshake_fault, refusal
from eventbraid.inference.transport.channel import open_channel

if TYPE_CHECKING:
    from eventbraid.inference.servers.server import Server

__all__ = ["LARGE", "SERVICE", "GrpcTransport", "Transport", "TransportError"]

SERVICE: Final = "/inference.GRPCInferenceService/"
OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Servers are named directly; a proxy of the environment would be asked even for this machine.
    ("grpc.enable_http_proxy", 0),
    # Two clients of one server must not share a connection, or closing one would cut the other.
    ("grpc.use_local_subchannel_pool", 1),
    # Back a quarter of a second after a restart; gRPC's own back-off takes many seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
    # In spite of its name the time that one attempt may take: several round trips to a site far away.
    ("grpc.min_reconnect_backoff_ms", 5000),
)


CUT_OFF: Final = ("Socket closed", "Connection reset")
"""What gRPC says where a server closes a connection at once, as it does where it turns down a certificate."""
LARGE: Final = 1 << 20
"""Bytes from which parts are joined beside the event loop."""


class TransportError(Exception):
    """A call failed: the name of its gRPC status, and what the server or the connection says."""

    def __init__(self, code: str, details: str = "") -> None:
        super().__init__(code, details)
        self.code, self.details = code, details


class Transport(Protocol):
    """A connection to one server, on one event loop; it connects again by itself."""

    async def call(
        self,
        method: str,
        parts: Sequence[bytes | memoryview],
        *,
        timeout: float,  # noqa: ASYNC109
        compression: str = "",
    ) -> bytes:
        """The serialised answer to a serialised request, which comes in parts of bytes.

        Raises `TransportError`. Cancelling cancels the call.
        """
        ...

    async def aclose(self) -> None:
        """Give the connection up; calls under way fail."""
        ...


class GrpcTransport:
    """The protocol's calls over a channel of grpc.aio."""

    def __init__(self, server: Server) -> None:
        self._grpc: Any = need_extra("grpc", "inference", "talking to an inference server")
        self._server = server
        self._channel: Any = open_channel(server, OPTIONS)
        self._metadata = server.metadata()
        self._calls: dict[str, Any] = {}
        self._large = asyncio.Lock()
        self._compressions = {
            "": None,
            "gzip": self._grpc.Compression.Gzip,
            "deflate": self._grpc.Compression.Deflate,
        }

    async def call(
        self,
        method: str,
        parts: Sequence[bytes | memoryview],
        *,
        timeout: float,  # noqa: ASYNC109
        compression: str = "",
    ) -> bytes:
        """See `Transport.call`."""
        if sum(map(len, parts)) < LARGE:
            request = b"".join(parts)
        else:
            async with self._large:
                request = await asyncio.to_thread(b"".join, parts)
        call = self._calls.get(method)
        if call is None:
            call = self._calls[method] = self._channel.unary_unary(SERVICE + method)
        try:
            answer: bytes = await call(
                request, timeout=timeout, metadata=self._metadata, compression=self._compressions[compression]
            )
        except self._grpc.aio.AioRpcError as error:
            raise await self._failed(error.code().name, error.details() or "") from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise TransportError("UNAVAILABLE", "the connection was given up") from None
        except self._grpc.aio.UsageError as error:
            raise TransportError("UNAVAILABLE", str(error)) from None
        return answer

    async def _failed(self, code: str, details: str) -> TransportError:
        """What a call failed with; where no connection was made because of its security, that in words."""
        if code == "UNAVAILABLE" and details.startswith("failed to connect"):
            fault = handshake_fault(details)
            if not fault and any(each in details for each in CUT_OFF):
                fault = await refusal(self._server)
            if fault:
                return TransportError("UNAUTHENTICATED", fault)
        return TransportError(code, details)

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        await self._channel.close()
