"""Header fields of gRPC calls, from the client's side: those of a request as bytes, those of an answer, its status."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Final
from urllib.parse import unquote

from eventbraid.http2.blocks import TIMEOUT, literal
from eventbraid.http2.frames import Code
from eventbraid.http2.statuses import STATUS

__all__ = ["request_fields", "reset_status", "status_of", "timeout_field"]

HTTP_STATUS: Final = {
    "400": "INTERNAL",
    "401": "UNAUTHENTICATED",
    "403": "PERMISSION_DENIED",
    "404": "UNIMPLEMENTED",
    "429": "UNAVAILABLE",
    "502": "UNAVAILABLE",
    "503": "UNAVAILABLE",
    "504": "UNAVAILABLE",
}
"""What gRPC makes of an answer that is none of its own, of a proxy most of all."""
RESET_STATUS: Final[dict[int, str]] = {
    Code.REFUSED_STREAM: "UNAVAILABLE",
    Code.CANCEL: "CANCELLED",
    Code.ENHANCE_YOUR_CALM: "RESOURCE_EXHAUSTED",
    Code.INADEQUATE_SECURITY: "PERMISSION_DENIED",
}
"""What gRPC makes of a stream that is reset; of all others, INTERNAL."""
POST, HTTP, HTTPS = b"\x83", b"\x86", b"\x87"
"""Fields of HPACK's static table."""


def request_fields(authority: str, path: str, *, secure: bool, encoding: str, headers: Mapping[str, str]) -> bytes:
    """The fields of every call of one method, but for its timeout."""
    encodings = "identity,deflate,gzip" if encoding else "identity"
    fields = {
        ":path": path,
        ":authority": authority,
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "eventbraid",
        "grpc-accept-encoding": encodings,
        **({"grpc-encoding": encoding} if encoding else {}),
    }
    own = b"".join(literal(name.encode(), value.encode()) for name, value in fields.items())
    given = b"".join(literal(name.lower().encode(), value.encode(), secret=True) for name, value in headers.items())
    return POST + (HTTPS if secure else HTTP) + own + given


def timeout_field(seconds: float) -> bytes:
    """The deadline that the server is told, in the smallest unit of at most eight digits; never too early."""
    if seconds < 99:
        text = b"%du" % max(ceil(seconds * 1e6), 1)
    elif seconds < 99e3:
        text = b"%dm" % ceil(seconds * 1e3)
    else:
        text = b"%dS" % ceil(min(seconds, 1e8 - 1))
    return TIMEOUT + bytes((len(text),)) + text


def reset_status(code: int) -> str:
    """The name of the status of a call whose stream the server has reset."""
    return RESET_STATUS.get(code, "INTERNAL")


def status_of(fields: Mapping[str, str]) -> tuple[str, str]:
    """The name and the text of the status with which a call ended."""
    given = fields.get("grpc-status")
    message = unquote(fields.get("grpc-message", ""))
    if given is not None:
        return STATUS.get(given, "UNKNOWN"), message
    http, kind = fields.get(":status", ""), fields.get("content-type", "")
    what = f"the answer has HTTP status {http}" if http not in ("", "200") else "the answer has no status of gRPC"
    other = f" and is {kind}" if kind and not kind.startswith("application/grpc") else ""
    return HTTP_STATUS.get(http, "UNKNOWN"), message or what + other
