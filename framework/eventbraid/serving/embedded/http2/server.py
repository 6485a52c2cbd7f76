"""A server of gRPC on asyncio, with the interface of grpc.aio's: it takes the same servicers and interceptors.

grpc.aio takes most of the time of a small request, and has a message whole before anyone is asked whether there is
room for it (docs/decisions/0014). Here every byte that is received is counted. What of gRPC no servicer of ours needs
is left out: answers that are compressed, metadata of answers, load reports.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from eventbraid.http2.statuses import NUMBERS
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.calls.budget import Budget
from eventbraid.serving.embedded.http2.call import Aborted, Call
from eventbraid.serving.embedded.http2.connection import Connection

__all__ = ["Http2Server"]

BACKLOG: Final = 4096
"""Connections that wait to be taken."""
KIND: Final = "application/grpc"
CLOSE_SECONDS: Final = 1.0
"""For a client to take its last answers, when the server ends."""
GOODBYE_SECONDS: Final = 0.1
"""For the end of a secure connection, which not every client confirms."""
Continuation = Callable[[Any], Awaitable[Any]]


class Http2Server:
    """Answers calls on 127.0.0.1; `budget` knows of what is being received and of answers that nobody has taken."""

    def __init__(self, budget: Budget, interceptors: Sequence[Any] = (), *, most_message: int, most_calls: int) -> None:
        self.budget = budget
        self.most_message, self.most_calls = most_message, most_calls
        self.connections: set[Connection] = set()
        self._interceptors = tuple(interceptors)
        self._handlers: dict[str, Any] = {}
        self._generic: list[Any] = []
        self._calls = 0
        """Those that have begun and have not ended."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._listening: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"Http2Server({len(self.connections)} connections, {self._calls} calls)"

    # As grpc.aio's servers have it.

    def add_generic_rpc_handlers(self, handlers: Sequence[Any]) -> None:
        """Handlers that are asked, one after the other, whether a call is theirs."""
        self._generic += handlers

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """The handlers of a service by the names of its methods."""
        self._handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    async def start(self, port: int, secure: ssl.SSLContext | None = None) -> int:
        """Listen; the port. Raises OSError where it cannot be had."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(
            lambda: Connection(self),
            "127.0.0.1",
            port,
            ssl=secure,
            backlog=BACKLOG,
            ssl_shutdown_timeout=None if secure is None else GOODBYE_SECONDS,
        )
        bound: int = self._listening.sockets[0].getsockname()[1]
        return bound

    async def stop(self, grace: float) -> None:
        """Take no more calls, let those that have begun end within so many seconds, and end the others."""
        if self._listening is not None:
            self._listening.close()
        for connection in list(self.connections):
            connection.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._idle.wait()
        if not self._calls and self.connections:  # their last words are on their way
            await asyncio.wait([connection.closed for connection in self.connections], timeout=CLOSE_SECONDS)
        for connection in list(self.connections):
            connection.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # What connections ask.

    def begin(self, call: Call, connection: Connection) -> None:
        """A call's fields are there."""
        self._calls += 1
        self._idle.clear()
        call.add_done_callback(self._ended)
        if not call.fields.get("content-type", "").startswith(KIND) or call.fields.get(":method") != "POST":
            connection.end(call, NUMBERS["UNKNOWN"], "this is a server of gRPC: expected POST of application/grpc")
        elif self._calls > self.most_calls:
            connection.end(call, NUMBERS["RESOURCE_EXHAUSTED"], "Concurrent RPC limit exceeded!")
        elif self._interceptors:
            self._start(call, self._intercepted(call, connection))
        elif (handler := self._handler(call)) is None:
            connection.end(call, NUMBERS["UNIMPLEMENTED"], "Method not found!")
        elif handler.unary_unary is None:
            self._start(call, self._answered(call, connection, handler))
        # A handler of one message begins when that is there.

    def arrived(self, call: Call, connection: Connection) -> None:
        """A message is there, or the client has said all."""
        if call.task is None and not call.over:
            self._start(call, self._answered(call, connection, self._handler(call)))
        else:
            call.wake()

    def _ended(self, _: Call) -> None:
        self._calls -= 1
        if not self._calls:
            self._idle.set()

    # How a call is answered.

    def _start(self, call: Call, answering: Any) -> None:
        call.task = task = asyncio.get_running_loop().create_task(answering)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _handler(self, call: Call) -> Any:
        handler = self._handlers.get(call.path)
        if handler is None:
            for generic in self._generic:
                if (handler := generic.service(_Details(call))) is not None:
                    break
        return handler

    async def _intercepted(self, call: Call, connection: Connection) -> None:
        async def last(details: Any) -> Any:
            return self._handler(call)

        follow: Continuation = last
        for interceptor in reversed(self._interceptors):
            follow = _before(interceptor, follow)
        try:
            handler = await follow(_Details(call))
        except Exception as error:  # noqa: BLE001  # it is the call's
            self._failed(call, connection, error)
            return
        if handler is None:
            connection.end(call, NUMBERS["UNIMPLEMENTED"], "Method not found!")
            return
        await self._answered(call, connection, handler)

    async def _answered(self, call: Call, connection: Connection, handler: Any) -> None:
        read, write = handler.request_deserializer or bytes, handler.response_serializer or bytes
        try:
            if handler.unary_unary is not None:
                answer = write(await handler.unary_unary(await _request(call, read), call))
                if not call.over:
                    call.taken = self.budget.keep(len(answer), call.peer())
                    connection.answer(call, answer)
                return
            call.write_message = write
            if handler.unary_stream is not None:
                answers = handler.unary_stream(await _request(call, read), call)
            elif handler.stream_stream is not None:
                answers = handler.stream_stream(_requests(call, read), call)
            else:
                answer = write(await handler.stream_unary(_requests(call, read), call))
                connection.answer(call, answer)
                return
            if hasattr(answers, "__aiter__"):
                try:
                    async for each in answers:
                        await call.write(each)
                        if call.over:
                            break
                finally:
                    await answers.aclose()
            else:
                await answers  # it writes by itself
            connection.end(call)
        except asyncio.CancelledError:
            connection.end(call, NUMBERS["CANCELLED"], "the server ends")
        except Exception as error:  # noqa: BLE001  # it is the call's
            self._failed(call, connection, error)

    def _failed(self, call: Call, connection: Connection, error: Exception) -> None:
        error.__traceback__ = None
        if isinstance(error, Aborted):
            connection.end(call, error.code, error.details)
        elif isinstance(error, ModelFailure):
            connection.refuse(call, error)
        else:
            logging.getLogger(__name__).error("%s: %r", call.path, error)
            connection.end(call, NUMBERS["UNKNOWN"], f"Unexpected {type(error)}: {error}")


class _Details:
    """What generic handlers and interceptors are asked with."""

    def __init__(self, call: Call) -> None:
        self.method, self.invocation_metadata = call.path, call.invocation_metadata()


def _before(interceptor: Any, follow: Continuation) -> Continuation:
    async def asked(details: Any) -> Any:
        return await interceptor.intercept_service(follow, details)

    return asked


async def _request(call: Call, read: Callable[[bytes], Any]) -> Any:
    """The one request of a call."""
    ready = call.messages.ready
    data = ready.popleft() if ready else await call.next_message()
    if data is None:
        raise ModelFailure("the call has no request", "INVALID_ARGUMENT")
    return _read(read, data)


async def _requests(call: Call, read: Callable[[bytes], Any]) -> Any:
    while (data := await call.next_message()) is not None:
        yield _read(read, data)


def _read(read: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return read(data)
    except Exception as error:  # noqa: BLE001  # what protobuf raises, which has no base of its own
        raise ModelFailure(f"the request cannot be read: {error}", "INVALID_ARGUMENT") from None
