"""A `Transport` over bare HTTP/2: connects when it is asked, and again when the connection is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from eventbraid.inference.servers.security import context_of, handshake_fault, refusal, server_name
from eventbraid.inference.transport.base import SERVICE, TransportError
from eventbraid.inference.transport.http2.connection import Answer, Connection, Unseen, too_late
from eventbraid.inference.transport.http2.fields import request_fields
from eventbraid.inference.transport.http2.messages import compressed, message_of, prefix
from eventbraid.inference.transport.http2.sockets import connected_socket, reason

if TYPE_CHECKING:
    from eventbraid.inference.servers.given import Server

__all__ = ["Http2Transport"]

CONNECT_SECONDS: Final = 5.0
"""For one attempt to connect, security and the server's greeting included."""
GOODBYE_SECONDS: Final = 0.1
"""For the end of a secure connection, which gRPC's servers do not confirm: a draining one would wait for ours."""
GIVEN_UP: Final = "the connection was given up"


class Http2Transport:
    """The protocol's calls over one connection at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        host, _, port = server.address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        tls = server.security
        self._secure = None if tls is None else context_of(tls)
        self._authority = f"{tls.name}:{port}" if tls is not None and tls.name else server.address
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[Connection] | None = None
        self._leaving: list[Connection] = []
        """Connections on which only calls that have begun go on."""
        self._fields: dict[tuple[str, str], bytes] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"Http2Transport({self._server.address})"

    async def call(
        self,
        method: str,
        parts: Sequence[bytes | memoryview],
        *,
        timeout: float,  # noqa: ASYNC109
        compression: str = "",
    ) -> bytes:
        """See `Transport.call`."""
        until = monotonic() + timeout
        fields = self._fields.get((method, compression))
        if fields is None:
            fields = self._fields[method, compression] = request_fields(
                self._authority,
                SERVICE + method,
                secure=self._server.security is not None,
                encoding=compression,
                headers=dict(self._server.metadata()),
            )
        if compression:
            parts = [await in_thread(until, compressed, parts, compression)]
        start = prefix(sum(len(part) for part in parts), compressed=bool(compression))
        body = [start, *parts]
        try:
            answer, chunks = await self._ask(fields, body, until)
        except Unseen:
            answer, chunks = await self._ask(fields, body, until)
        encoding = answer.get("grpc-encoding", "")
        if encoding in ("", "identity"):  # a thread would hold up the loop as much: copying is done under the lock
            return message_of(chunks, encoding)
        return await in_thread(until, message_of, chunks, encoding)

    async def _ask(self, fields: bytes, body: Sequence[bytes | memoryview], until: float) -> Answer:
        connection = self._connection
        if connection is None or connection.leaving:
            connection = await self._connected(until - monotonic())
        return await connection.call(fields, body, until - monotonic())

    async def _connected(self, timeout: float) -> Connection:  # noqa: ASYNC109
        """A connection that takes calls; all who ask at the same time wait for the same one."""
        if self._closed:
            raise TransportError("UNAVAILABLE", GIVEN_UP)
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name=f"connecting {self._server.address}")
            self._connecting.add_done_callback(self._connect_ended)
        connecting = self._connecting
        await asyncio.wait([connecting], timeout=timeout)
        if not connecting.done():
            raise too_late()
        if connecting.cancelled():
            raise TransportError("UNAVAILABLE", GIVEN_UP)
        if (error := connecting.exception()) is None:
            return connecting.result()
        if isinstance(error, TransportError):
            raise TransportError(error.code, error.details)  # each who waits has one of its own
        raise error

    def _connect_ended(self, task: asyncio.Task[Connection]) -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # seen, whoever waits for it

    async def _connect(self) -> Connection:
        self._leaving = [each for each in (*self._leaving, self._connection) if each and not each.closed.done()]
        self._connection = None
        connection = Connection()
        where = f"{self._server.address}: failed to connect"
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    sock=await connected_socket(self._host, self._port),
                    ssl=self._secure,
                    server_hostname=server_name(self._server) if self._secure is not None else None,
                    ssl_shutdown_timeout=GOODBYE_SECONDS if self._secure is not None else None,
                )
                await connection.greeted
            self._connection = connection
            return connection
        except TimeoutError:
            raise TransportError("UNAVAILABLE", f"{where} within {CONNECT_SECONDS:g} s") from None
        except (OSError, UnicodeError) as error:  # the latter of a name that is none
            why, closed = reason(error), isinstance(error, ConnectionResetError)
        except TransportError as error:
            why, closed = error.details, connection.silent
        finally:
            if self._connection is not connection:
                await connection.aclose(GIVEN_UP)
        fault = handshake_fault(why) or (await refusal(self._server) if closed else "")
        raise TransportError("UNAUTHENTICATED", fault) if fault else TransportError("UNAVAILABLE", f"{where}: {why}")

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        for connection in (*self._leaving, self._connection):
            if connection is not None:
                await connection.aclose(GIVEN_UP)
        self._leaving.clear()


async def in_thread(until: float, work: Callable[..., bytes], *given: Any) -> bytes:
    """Do work beside the event loop; its threads may be busy until the deadline."""
    try:
        async with asyncio.timeout(until - monotonic()):
            return await asyncio.to_thread(work, *given)
    except TimeoutError:
        raise too_late() from None
