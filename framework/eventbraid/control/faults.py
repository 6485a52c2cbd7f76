"""What a failed call means, in the user's words."""

from __future__ import annotations

from typing import Any

from eventbraid.errors import ServerError, ServerTimeout, ServerUnavailable, need_extra

__all__ = ["refused"]

NO_JOB = "no job offers its control here; start one with `eventbraid run --control HOST:PORT`"
GONE = "the job is gone: it did not say that it ended, or the connection to it was lost"
LATE = "the job did not answer in time: a module may keep its event loop busy"
TOKEN = "pass with --token, or in EVENTBRAID_CONTROL_TOKEN, what the job was given as --control-token"
UNKNOWN = "{} is not known here: this is a job of an older eventbraid, or another service than a job's control"


def refused(error: Any, call: str, address: str, *, begun: bool = False) -> ServerError:
    """The error of a call to the job at an address; `begun` where it had answered before."""
    code, said = error.code(), error.details()
    codes = need_extra("grpc", "inference", "asking a running job").StatusCode
    if code is codes.DEADLINE_EXCEEDED:
        return ServerTimeout(LATE, server=address)
    if code is codes.UNAVAILABLE or (begun and code is codes.CANCELLED):
        return ServerUnavailable(GONE if begun else NO_JOB, server=address)
    if code is codes.UNAUTHENTICATED:
        return ServerError(f"{said}; {TOKEN}", server=address)
    if code is codes.UNIMPLEMENTED:
        return ServerError(UNKNOWN.format(call), server=address)
    if code in (codes.FAILED_PRECONDITION, codes.INVALID_ARGUMENT):
        return ServerError(said, server=address)
    return ServerError(f"the call {call} failed, {code.name}: {said}", server=address)
