"""The way of all messages in and out of the server: what is being received, and what is not taken, is bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, NoReturn

from eventbraid.errors import need_extra
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.calls.arriving import Arriving
from eventbraid.serving.embedded.calls.budget import Budget

__all__ = ["gate"]


def gate(budget: Budget) -> Any:
    """What a grpc.aio server needs, before all other interceptors."""
    grpc: Any = need_extra("grpc", "inference", "serving models")
    way = _Way(grpc, budget)

    class Gate(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc is imported late
        """Puts the gate before the handler of each call."""

        async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
            handler = await continuation(details)
            return None if handler is None else way.before(handler)

    return Gate()


class _Way:
    """Receives requests itself, as streams: gRPC would have a single request whole before anyone is asked."""

    def __init__(self, grpc: Any, budget: Budget) -> None:
        self._grpc, self._budget, self._arriving = grpc, budget, Arriving(budget)

    def before(self, handler: Any) -> Any:
        read, write = handler.request_deserializer or bytes, handler.response_serializer or bytes

        async def answer(_: object, context: Any) -> bytes:
            # No name for the request: gRPC keeps the error of a call that is refused, and with it what we know here.
            asked = handler.unary_unary(await self._read(read, await self._received(context), context), context)
            made = write(await asked)
            try:
                taken = self._budget.keep(len(made), context.peer())
            except ModelFailure as error:
                del made
                await self._refuse(context, error)
            context.add_done_callback(partial(_call, taken))
            return made

        async def requests(context: Any) -> AsyncIterator[Any]:
            while (data := await self._received(context, last=True)) is not None:
                yield await self._read(read, data, context)

        async def answers(_: object, context: Any) -> AsyncIterator[bytes]:
            if handler.unary_stream is not None:
                request = await self._read(read, await self._received(context), context)
                made = handler.unary_stream(request, context)
            else:
                made = handler.stream_stream(requests(context), context)
            async for each in made:
                yield write(each)

        if handler.unary_unary is not None:
            return self._grpc.stream_unary_rpc_method_handler(answer)
        return self._grpc.stream_stream_rpc_method_handler(answers)

    async def _received(self, context: Any, *, last: bool = False) -> bytes | None:
        """The next message; None after the `last` one, which else has to be there."""
        try:
            data = await self._arriving.receive(context.read())
        except ModelFailure as error:
            await self._refuse(context, error)
        if data is not self._grpc.aio.EOF:
            return bytes(data)
        if not last:
            await context.abort(self._grpc.StatusCode.INVALID_ARGUMENT, "the call has no request")
        return None

    async def _read(self, read: Callable[[Any], Any], data: bytes | None, context: Any) -> Any:
        try:
            return read(data)
        except Exception as error:  # noqa: BLE001  # what protobuf raises, which has no base of its own
            data, error.__traceback__ = None, None
            await context.abort(self._grpc.StatusCode.INVALID_ARGUMENT, f"the request cannot be read: {error}")

    async def _refuse(self, context: Any, error: ModelFailure) -> NoReturn:
        error.__traceback__ = None
        await context.abort(self._grpc.StatusCode[error.code], error.details)
        raise AssertionError("abort raises") from error


def _call(what: Callable[[], None], _: object) -> None:
    what()
