"""A call as its handler sees it: what grpc.aio's servicers expect of a context, as far as any of ours asks for it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, Protocol

from eventbraid.http2.connection import Stream
from eventbraid.serving.embedded.http2.messages import Messages

__all__ = ["Aborted", "Call", "Line", "seconds_of"]

TIMEOUT: Final = re.compile(r"([0-9]{1,8})([HMSmun])")
UNITS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def seconds_of(timeout: str) -> float | None:
    """Seconds of the field grpc-timeout; None where it says nothing that can be read."""
    found = TIMEOUT.fullmatch(timeout)
    return int(found[1]) * UNITS[found[2]] if found else None


class Aborted(Exception):
    """A handler has ended its call: the number of its gRPC status, and the text."""

    def __init__(self, code: int, details: str) -> None:
        super().__init__(code, details)
        self.code, self.details = code, details


class Line(Protocol):
    """The connection of a call, as the call needs it."""

    peer: str

    async def send(self, call: Call, message: bytes) -> None:
        """One of several answers; returns when there is room for the next."""
        ...

    def has_read(self, call: Call) -> None:
        """The handler has taken a message: there is room for more."""
        ...


class Call(Stream):
    """One call, from its first field to its status."""

    __slots__ = (
        "_callbacks",
        "_line",
        "_waiters",
        "began",
        "fields",
        "held",
        "messages",
        "no_more",
        "over",
        "path",
        "received",
        "taken",
        "task",
        "timer",
        "trailers",
        "until",
        "write_message",
    )

    def __init__(self, number: int, window: int, fields: Mapping[str, str], line: Line, most: int) -> None:
        super().__init__(number, window)
        self.fields = fields
        self.path = fields.get(":path", "")
        self._line = line
        self.messages = Messages(most, fields.get("grpc-encoding", ""))
        self.received = 0
        """Bytes of all messages so far."""
        self.held = 0
        """Bytes of the budget that an incomplete message has."""
        self.no_more = False
        """The client has said all."""
        self.over = False
        """Its status is on its way, or nobody waits for one."""
        self.began = False
        """Its first fields are on their way."""
        self.trailers = b""
        """What is sent when its body is."""
        self.taken: Callable[[], None] | None = None
        """To be called when its body is sent, or nobody wants it any more."""
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.until: float | None = None
        self.write_message: Callable[[Any], bytes] = bytes
        self._waiters: list[asyncio.Future[None]] = []
        self._callbacks: list[Callable[[Any], object]] = []

    # What handlers and interceptors ask for.

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """What the client says of itself."""
        return tuple(
            (key, _decoded(value) if key.endswith("-bin") else value)
            for key, value in self.fields.items()
            if not key.startswith((":", "grpc-"))
        )

    def peer(self) -> str:
        """Who asks."""
        return self._line.peer

    def time_remaining(self) -> float | None:
        """Seconds until its deadline."""
        return None if self.until is None else max(0.0, self.until - asyncio.get_running_loop().time())

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Have it called with this call when all is over."""
        self._callbacks.append(callback)

    async def abort(self, code: Any, details: str = "", trailing_metadata: object = ()) -> NoReturn:
        """End the call with a status of grpc.StatusCode."""
        raise Aborted(code.value[0], details)

    async def write(self, message: Any) -> None:
        """Send one of several answers, and wait until it is on its way."""
        await self._line.send(self, self.write_message(message))

    # What its connection tells it.

    async def next_message(self) -> bytes | None:
        """The next one of the client, None after the last."""
        while not self.messages.ready:
            if self.no_more:
                return None
            await self.wait()
        message = self.messages.ready.popleft()
        self._line.has_read(self)
        return message

    async def wait(self) -> None:
        """Until something has changed; who reads requests and who sends answers may both wait."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def wake(self) -> None:
        """Something has changed."""
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def ended(self) -> None:
        """All is over: tell who wanted to know."""
        if self.timer is not None:
            self.timer.cancel()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4))
    except (binascii.Error, ValueError):
        return value.encode()
