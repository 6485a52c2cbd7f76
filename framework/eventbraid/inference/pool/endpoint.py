"""One server while a job runs: the connection to it, what it owes, whether it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from eventbraid.address import is_here
from eventbraid.errors import AnswerError, ServerBusy, ServerError, ServerUnavailable
from eventbraid.inference.account import Statistics
from eventbraid.inference.pool.health import Health
from eventbraid.inference.pool.limits import AdaptiveLimit, Slots
from eventbraid.inference.retry import server_error
from eventbraid.inference.transport.base import Transport, TransportError
from eventbraid.kserve.wire import protocol
from eventbraid.whereabouts import waiting_on

if TYPE_CHECKING:
    from eventbraid.inference.servers.given import Server

__all__ = ["Connect", "Endpoint"]

Connect = Callable[["Server"], Transport]

PROBE_SECONDS: Final = 1.0
"""For which a server may be silent when it is asked whether it lives."""
START: Final = 64
"""Requests that a server is given at once at first."""
MOST_BYTES: Final = 256 << 20
"""Bytes of tensors on their way to one server at most, where the user sets no bound."""


class Endpoint:
    """The connection to one server; `changed` is called when it goes or comes back."""

    def __init__(self, server: Server, connect: Connect, changed: Callable[[], None]) -> None:
        self.server = server
        self.name = server.name
        said = server.shared_memory
        self.local = is_here(server.address) if said is None else said
        """True where it may see this host's shared memory."""
        self.health = Health()
        self.outstanding = 0
        self.limit = AdaptiveLimit(START) if server.max_requests is None else None
        """Finds how many requests at once are enough, where the user sets no bound."""
        self.slots = Slots(server.max_requests or START, server.max_bytes or MOST_BYTES)
        self.incarnation = 0
        """Grows whenever the server was away: what was registered with it is gone."""
        self._connect = connect
        self._transport = connect(server)
        self._changed = changed
        self._closed = False
        self._pb: Any = protocol()

    def __repr__(self) -> str:
        return f"Endpoint({self.name}, {self.outstanding} outstanding{'' if self.health.ready else ', away'})"

    def free(self, nbytes: int) -> bool:
        """True where it has room for a request of that size."""
        return self.slots.free(nbytes)

    def take(self, nbytes: int, now: float) -> None:
        """A request of that size is on its way."""
        if not self.outstanding:
            self.health.heard = now
        self.outstanding += 1
        self.slots.take(nbytes)
        if self.limit is not None:
            self.limit.sent(now)
            self.slots.most_requests = self.limit.limit

    def give(self, nbytes: int, seconds: float, error: BaseException | None = None) -> None:
        """It was answered after so many seconds, or ended with that error."""
        self.outstanding -= 1
        self.slots.give(nbytes)
        if self.limit is None:
            return
        if isinstance(error, ServerBusy):
            self.limit.busy(monotonic(), seconds)
        else:
            self.limit.ended(monotonic(), seconds, error is None)
        self.slots.most_requests = self.limit.limit

    async def call(
        self,
        method: str,
        parts: Sequence[bytes | memoryview],
        deadline: float,
        model: str = "",
        compression: str = "",
    ) -> bytes:
        """The answer's bytes; raises the `ServerError` of a failure, and sets the server aside if it is away."""
        try:
            with waiting_on(self.name):
                answer = await self._transport.call(
                    method, parts, timeout=max(deadline - monotonic(), 0.0), compression=compression
                )
        except TransportError as failed:
            error = server_error(failed, self.name, model)
            if isinstance(error, ServerUnavailable):
                self.set_aside(str(error.args[0]))
            try:
                raise error from failed
            finally:
                del error  # whose cause holds this very frame, and the tensors
        self.health.heard = monotonic()
        return answer

    async def ask(self, method: str, request: Any, answer: Any, deadline: float, model: str = "") -> Any:
        """The same with messages: the request and the kind of the answer."""
        data = await self.call(method, [request.SerializeToString()], deadline, model)
        try:
            return answer.FromString(data)
        except Exception as error:
            what = f"the answer to {method} cannot be read: {type(error).__name__}: {error}"
            raise AnswerError(what, server=self.name, model=model) from error

    async def statistics(self, key: tuple[str, str], deadline: float) -> Statistics | None:
        """What it says of a model; None where it does not."""
        request = self._pb.ModelStatisticsRequest(name=key[0], version=key[1])
        try:
            answer = await self.ask("ModelStatistics", request, self._pb.ModelStatisticsResponse, deadline, key[0])
        except ServerError:
            return None
        return Statistics.of(answer)

    def set_aside(self, reason: str) -> None:
        """Ask nothing of it until it is seen to be back."""
        if self._closed:
            return
        if self.health.lost(reason, monotonic()):
            self.incarnation += 1
            self._changed()

    async def lives(self) -> bool:
        """Whether it answers at all within `PROBE_SECONDS`."""
        pb = self._pb
        try:
            await self.ask("ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse, monotonic() + PROBE_SECONDS)
        except ServerError:
            return False
        return True

    async def renew(self, reason: str) -> None:
        """Give the connection up, and with it all calls under way: they fail as unavailable."""
        old, self._transport = self._transport, self._connect(self.server)
        self.set_aside(reason)
        await old.aclose()

    def to_dict(self) -> dict[str, Any]:
        """Its name, address and state, for the report."""
        health = self.health
        return {
            "server": self.name,
            "address": self.server.address,
            "ready": health.ready,
            "reason": health.reason,
            "times_away": health.times_away,
            "limit": self.slots.most_requests,
            "chosen": str(self.limit.chosen) if self.limit is not None and self.limit.chosen is not None else "",
        }

    def close(self) -> None:
        """Ask nothing of it any more."""
        self._closed = True
        self.health.ready, self.health.reason = False, "this client is closed"

    async def aclose(self) -> None:
        """Give up the connection."""
        self.close()
        await self._transport.aclose()
