"""The statuses of gRPC, by name and by number."""

from __future__ import annotations

from typing import Final, Literal, get_args

__all__ = ["NUMBERS", "STATUS", "Failure"]

Failure = Literal[
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]
NUMBERS: Final[dict[str, int]] = {name: number for number, name in enumerate(("OK", *get_args(Failure)))}
STATUS: Final = {str(number): name for name, number in NUMBERS.items()}
"""By the number as it is sent."""
