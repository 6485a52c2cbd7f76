"""What an error of a server means for its request: whose fault it is, and whether to send it again. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Final

from eventbraid.errors import (
    AccessError,
    AnswerError,
    RequestError,
    ServerBusy,
    ServerError,
    ServerTimeout,
    ServerUnavailable,
)
from eventbraid.inference.transport.base import TransportError

__all__ = ["Next", "failure", "is_to_blame", "next_step", "pause", "server_error"]

BUSY: Final = ("maximum queue size", "request timeout expired", "overloaded")
"""Signs that an unavailable server is there and has too much to do: the model's queue is full, or was too slow."""
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 1.0
"""Seconds between tries on a server that is busy: at first, and at most; each is drawn between half and all of that."""
SHORTEST: Final = 1e-4
"""Seconds before the deadline within which no server answers: another try would be in vain."""


class Next(Enum):
    """What to do with a request that failed."""

    AGAIN = "again"
    """On whatever server is ready; another one is better."""
    LATER = "later"
    """The same, where there is no other after a pause, for the server has too much to do."""
    ELSEWHERE = "elsewhere"
    """On a server that has not failed it yet, and on no other."""
    FAIL = "fail"


STEPS: Final[tuple[tuple[type[ServerError], str, Next], ...]] = (
    (ServerUnavailable, "connection lost", Next.AGAIN),
    (ServerBusy, "busy", Next.LATER),
    (ServerTimeout, "timed out", Next.LATER),
    (AnswerError, "bad answer", Next.ELSEWHERE),
    (AccessError, "no access", Next.FAIL),
    (RequestError, "wrong request", Next.FAIL),
    (ServerError, "server error", Next.ELSEWHERE),  # all others
)
"""Each kind of error: its name in the report, and what follows. A request changes nothing, so it may be sent twice."""


def _step(error: Exception) -> tuple[str, Next]:
    return next((name, step) for kind, name, step in STEPS if isinstance(error, kind))


def is_to_blame(error: ServerError) -> bool:
    """True where the server answered, and the answer was no good: another one may do better."""
    _, step = _step(error)
    return step is Next.ELSEWHERE


def failure(error: ServerError) -> str:
    """The name of an error's kind in the report."""
    name, _ = _step(error)
    return "refused" if name == "connection lost" and "refused" in str(error.args[0]).lower() else name


def next_step(error: ServerError, *, tried: int, tries: int, left: float, others: bool) -> Next:
    """What to do after the `tried`-th try of at most `tries` (0: no bound) with `left` seconds before the deadline.

    `others` is true where a server has the model that has not failed this request.
    """
    _, step = _step(error)
    if left < SHORTEST or (tries and tried >= tries) or (step is Next.ELSEWHERE and not others):
        return Next.FAIL
    return step


def pause(tried: int, draw: float) -> float:
    """Seconds before the next try on a busy server; `draw` is a random number from 0 to 1."""
    return min(FIRST_PAUSE * 2.0 ** min(tried - 1, 16), LONGEST_PAUSE) * (1 + draw) / 2


def server_error(error: TransportError, server: str, model: str) -> ServerError:
    """The error for a gRPC status: is the server away or busy, the time over, the request wrong, or the model?"""
    code, details = error.code, error.details
    kind: type[ServerError] = ServerError
    if code == "NOT_FOUND" and "no available versions" in details:  # a Triton that is told to end
        kind = ServerUnavailable
    elif code == "UNAVAILABLE":
        busy = any(sign in details.lower() for sign in BUSY)
        kind = ServerBusy if busy else ServerUnavailable
    elif code == "RESOURCE_EXHAUSTED":
        kind = ServerBusy
    elif code == "DEADLINE_EXCEEDED":
        return ServerTimeout("no answer before the deadline", server=server, model=model)
    elif code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        kind = AccessError
    elif code in ("INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED", "OUT_OF_RANGE", "FAILED_PRECONDITION"):
        kind = RequestError
    elif code == "CANCELLED" or "RST_STREAM" in details or "Stream removed" in details:
        kind = ServerUnavailable  # the connection broke in the middle of an answer
    what = (details or "not reachable") if kind is ServerUnavailable else (details or code)
    return kind(f"{code}: {what}" if kind is ServerError else what, server=server, model=model)
