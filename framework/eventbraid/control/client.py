"""Asks a running job, from another process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from eventbraid.address import check_address
from eventbraid.control.faults import refused
from eventbraid.control.subject import check_interval, check_streams
from eventbraid.errors import need_extra
from eventbraid.tokens import TOKEN_KEY, bearer, check_token

__all__ = ["Client", "status", "stop"]

WHY = "asking a running job"
OPTIONS = [
    # A job is asked directly: gRPC would take the proxy of the environment even for this very machine.
    ("grpc.enable_http_proxy", 0),
    # A job may have thousands of events in flight to tell of.
    ("grpc.max_receive_message_length", -1),
    # A watch is read by its own thread: one of gRPC's may still be there when the interpreter ends, and says so.
    ("SingleThreadedUnaryStream", 1),
]


def status(address: str, *, token: str | None = None, timeout: float = 5.0) -> dict[str, Any]:
    """What the job at "host:port" is doing; see `Client.status`."""
    with Client(address, token=token, timeout=timeout) as job:
        return job.status()


def stop(address: str, reason: str = "", *, token: str | None = None, timeout: float = 5.0) -> dict[str, Any]:
    """Let the job read no more events and end in order; see `Client.stop`."""
    with Client(address, token=token, timeout=timeout) as job:
        return job.stop(reason)


class Client:
    """A running job at "host:port", for use in `with`; every answer is the fields of a message as plain values.

    Every method raises `ServerUnavailable` where no job offers its control, `ServerTimeout` after `timeout` seconds,
    and `ServerError` where the job says no.
    """

    def __init__(self, address: str, *, token: str | None = None, timeout: float = 5.0) -> None:
        grpc = need_extra("grpc", "inference", WHY)
        self._messages: Any = need_extra("eventbraid.control._pb.job_pb2", "inference", WHY)
        generated = need_extra("eventbraid.control._pb.job_pb2_grpc", "inference", WHY)
        check_token(token, "the token")
        self._address, self._timeout = check_address(address), timeout
        self._metadata = [(TOKEN_KEY, bearer(token))] if token is not None else []
        self._failed: type[Exception] = grpc.RpcError
        self._channel: Any = grpc.insecure_channel(address, options=OPTIONS)
        self._stub: Any = generated.JobControlStub(self._channel)

    def status(self) -> dict[str, Any]:
        """What the job is doing now: the fields of StatusReply."""
        return self._ask("Status", self._messages.StatusRequest())

    def watch(self, interval: float = 1.0, *, where: int = 0) -> Iterator[dict[str, Any]]:
        """The status at once and then every `interval` seconds, until the job has ended; the last one says so.

        Each has under "where" what so many of the oldest events in flight wait for.
        """
        request = self._messages.WatchRequest(interval=check_interval(interval), where=where)
        replies = self._stub.Watch(request, metadata=self._metadata)
        begun = False
        try:
            for reply in replies:
                begun = True
                yield _fields(reply)
        except self._failed as error:
            raise refused(error, "Watch", self._address, begun=begun) from None
        finally:
            replies.cancel()

    def where(self, limit: int = 0) -> dict[str, Any]:
        """Where so many of the oldest events in flight are, 0 for all: the fields of WhereReply."""
        return self._ask("Where", self._messages.WhereRequest(limit=limit))

    def drain(self) -> dict[str, Any]:
        """Let the job finish what is in flight and wait; `held` is False where it was told that before."""
        return self._ask("Drain", self._messages.DrainRequest())

    def resume(self) -> dict[str, Any]:
        """Let the job read on after `drain`; `resumed` is False where it did anyway."""
        return self._ask("Resume", self._messages.ResumeRequest())

    def stop(self, reason: str = "", *, after_lumi: bool = False, cancel: bool = False) -> dict[str, Any]:
        """Let the job read no more events and end in order; `stopped` is False where it was stopping already.

        With `after_lumi` it reads the luminosity section that it is in to the end; `cancel` cancels what is in flight.
        """
        return self._ask("Stop", self._messages.StopRequest(reason=reason, after_lumi=after_lumi, cancel=cancel))

    def set_streams(self, streams: int) -> dict[str, Any]:
        """Have so many events in flight at most, from 1 to 10,000."""
        return self._ask("SetStreams", self._messages.SetStreamsRequest(streams=check_streams(streams)))

    def close(self) -> None:
        """Let the connection go."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._address!r})"

    def _ask(self, name: str, request: Any) -> dict[str, Any]:
        call = getattr(self._stub, name)
        try:
            return _fields(call(request, timeout=self._timeout, metadata=self._metadata))
        except self._failed as error:
            raise refused(error, name, self._address) from None


def _fields(message: Any) -> dict[str, Any]:
    """A message as a dictionary of all its fields; protobuf's own JSON would make its numbers strings."""
    return {field.name: _plain(getattr(message, field.name)) for field in message.DESCRIPTOR.fields}


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    return _fields(value) if hasattr(value, "DESCRIPTOR") else [_plain(each) for each in value]
