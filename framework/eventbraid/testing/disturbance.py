"""What a script of faults does to the calls of a gRPC server, as an interceptor of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, Self, TypeAlias

from eventbraid.errors import need_extra
from eventbraid.kserve.wire import protocol, varint
from eventbraid.testing.cutting import cut, peer_of
from eventbraid.testing.fault import CALLS
from eventbraid.testing.garbling import flip
from eventbraid.testing.lies import LIES, Lie
from eventbraid.testing.script import Script, Strike

__all__ = ["Disturbance"]

ENDING: Final = ("drop", "cut", "refuse")
"""Kinds after which there is no answer."""
SERVICE: Final = "/inference.GRPCInferenceService/"
INFER_RESPONSE: Final = 2 << 3 | 2
"""The tag of field 2 of ModelStreamInferResponse, length-delimited."""
Answer: TypeAlias = Callable[[bytes, Any], Awaitable[bytes]]
Answers: TypeAlias = Callable[[AsyncIterator[bytes], Any], AsyncIterator[bytes]]


class Disturbance:
    """Disturbs the calls of a server by a script, which can be another one at any time.

    `grpc.aio.server(interceptors=[disturbance.interceptor()])`; `release()` ends what was to stay without an answer,
    so that the server can drain. As `async with` within the server's time it does that at its end, and a slow start
    counts from its beginning.
    """

    def __init__(
        self,
        script: Script,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.script = script
        self._sleep, self._now, self._since = sleep, now, now()
        self._over = asyncio.Event()
        self._grpc: Any = need_extra("grpc", "inference", "a server with faults")

    async def __aenter__(self) -> Self:
        self._since = self._now()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """End the requests that stay without an answer."""
        self._over.set()

    def interceptor(self) -> Any:
        """What a grpc.aio server takes."""
        outer = self
        grpc: Any = self._grpc

        class Interceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc is imported late
            """Puts the disturbance before the handler of a call."""

            async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
                return outer.before(str(details.method), await continuation(details))

        return Interceptor()

    def before(self, method: str, handler: Any) -> Any:
        """A handler that disturbs that one; the same where it is of no call that can be disturbed."""
        if handler is None:
            return None
        call = method.removeprefix(SERVICE)
        read = handler.request_deserializer or bytes
        write = handler.response_serializer or bytes
        if handler.unary_unary is not None:

            async def answer(request: bytes, context: Any) -> bytes:
                return bytes(write(await handler.unary_unary(read(request), context)))

            return self._grpc.unary_unary_rpc_method_handler(self._unary(call, answer))
        if handler.stream_stream is not None:

            async def answers(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
                async for each in handler.stream_stream((read(request) async for request in requests), context):
                    yield bytes(write(each))

            return self._grpc.stream_stream_rpc_method_handler(self._stream(call, answers))
        return handler

    def _unary(self, call: str, answer: Answer) -> Answer:
        async def disturbed(request: bytes, context: Any) -> bytes:
            strikes = self.script.take(call, model_of(call, request))
            await self._wait(strikes)
            await self._end(strikes, context)
            return changed(call, await answer(request, context), strikes)

        return disturbed

    def _stream(self, call: str, answers: Answers) -> Answers:
        async def disturbed(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            asked, last = deque[Sequence[Strike]](), list[Strike]()

            async def passed() -> AsyncIterator[bytes]:
                async for request in requests:
                    strikes = self.script.take(call, model_of(call, request))
                    await self._wait(strikes)
                    if any(strike.fault.kind in ENDING for strike in strikes):
                        last.extend(strikes)
                        return
                    asked.append(strikes)
                    yield request

            async for answer in answers(passed(), context):
                yield changed(call, answer, asked.popleft() if asked else ())
            await self._end(last, context)

        return disturbed

    async def _wait(self, strikes: Sequence[Strike]) -> None:
        for fault, _ in strikes:
            if fault.kind == "delay":
                await self._sleep(fault.seconds)
            elif fault.kind == "slow_start" and (left := self._since + fault.seconds - self._now()) > 0:
                await self._sleep(left)

    async def _end(self, strikes: Sequence[Strike], context: Any) -> None:
        """Do the first that leaves no answer, if there is one."""
        codes = self._grpc.StatusCode
        for fault, _ in strikes:
            if fault.kind == "refuse":
                await context.abort(codes[fault.status], fault.message)
            elif fault.kind == "cut":
                cut(peer_of(context.peer()))
                await context.abort(codes.UNAVAILABLE, "the connection was to be cut")
            elif fault.kind == "drop":
                await self._over.wait()
                await context.abort(codes.UNAVAILABLE, "the server ends, and the request was to have no answer")


def model_of(call: str, request: bytes) -> str:
    """The model that a request is for; empty where it is for none, or no message."""
    if call not in CALLS:
        return ""
    name = "ModelInfer" if call == "ModelStreamInfer" else call
    read = _read(f"{name}Request", request)
    return str(getattr(read, "model_name", "") or getattr(read, "name", ""))


def changed(call: str, answer: bytes, strikes: Sequence[Strike]) -> bytes:
    """An answer after the faults that change it."""
    for fault, random in strikes:
        if fault.kind == "garble":
            answer = flip(answer, fault.bytes, random)
        elif fault.kind in LIES:
            answer = _lied(call, answer, LIES[fault.kind])
    return answer


def _lied(call: str, answer: bytes, lie: Lie) -> bytes:
    """The same where it is no message, as after another fault, or one of an error."""
    if call != "ModelStreamInfer":
        read = _read("ModelInferResponse", answer)
        return answer if read is None else lie(read)
    read = _read("ModelStreamInferResponse", answer)
    if read is None or read.error_message or not read.HasField("infer_response"):
        return answer
    told = lie(read.infer_response)
    return bytes((INFER_RESPONSE,)) + varint(len(told)) + told


def _read(name: str, data: bytes) -> Any:
    """The message; None where it is none."""
    broken = need_extra("google.protobuf.message", "inference", "a server with faults").DecodeError
    try:
        return getattr(protocol(), name).FromString(data)
    except broken:
        return None
