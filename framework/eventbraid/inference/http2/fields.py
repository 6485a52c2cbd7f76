"""Header fields of gRPC calls: those of a request as bytes (HPACK, RFC 7541), those of an answer, its status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from eventbraid.errors import need_extra
from eventbraid.inference.http2.frames import FrameError

__all__ = ["Decoder", "literal", "request_fields", "status_of", "timeout_field"]

STATUS: Final = (
    "OK",
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
)
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
POST, HTTP, HTTPS = b"\x83", b"\x86", b"\x87"
"""Fields of HPACK's static table."""


def literal(name: bytes, value: bytes) -> bytes:
    """A field that no side is to remember."""
    return b"\x00" + _length(len(name)) + name + _length(len(value)) + value


def _length(number: int) -> bytes:
    if number < 0x7F:
        return bytes((number,))
    groups = bytearray((0x7F,))
    number -= 0x7F
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


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
        **{name.lower(): value for name, value in headers.items()},
    }
    block = b"".join(literal(name.encode(), value.encode()) for name, value in fields.items())
    return POST + (HTTPS if secure else HTTP) + block


def timeout_field(seconds: float) -> bytes:
    """The deadline that the server is told: in microseconds, of which it takes eight digits, or in milliseconds."""
    micro = max(int(seconds * 1e6), 1)
    text = b"%du" % micro if micro < 10**8 else b"%dm" % min(micro // 1000, 10**8 - 1)
    return literal(b"grpc-timeout", text)


class Decoder:
    """Reads header blocks of one connection.

    A block of nothing but fields that both sides remember changes no memory, and comes again and again: it is
    read once. Every other block is read by hpack, and may change what the remembered numbers mean.
    """

    def __init__(self) -> None:
        self._hpack: Any = need_extra("hpack", "inference", "talking to an inference server")
        self._decoder: Any = self._hpack.Decoder()
        self._known: dict[bytes, dict[str, str]] = {}

    def decode(self, block: bytes) -> dict[str, str]:
        """The fields by name; raises `FrameError`."""
        known = self._known.get(block)
        if known is not None:
            return known
        try:
            fields = {_text(name): _text(value) for name, value in self._decoder.decode(block, raw=True)}
        except self._hpack.HPACKError as error:
            raise FrameError(f"a header block cannot be read: {error}") from error
        if all(0x80 < byte < 0xFF for byte in block):
            self._known[block] = fields
        else:
            self._known.clear()
        return fields


def _text(raw: bytes) -> str:
    return bytes(raw).decode("utf-8", "replace")


def status_of(fields: Mapping[str, str]) -> tuple[str, str]:
    """The name and the text of the status with which a call ended."""
    given = fields.get("grpc-status")
    message = unquote(fields.get("grpc-message", ""))
    if given is None:
        http = fields.get(":status", "")
        if http != "200":
            return HTTP_STATUS.get(http, "UNKNOWN"), message or f"the answer has HTTP status {http or 'none'}"
        return "INTERNAL", "the answer has no status"
    number = int(given) if given.isdecimal() else 2
    return (STATUS[number] if number < len(STATUS) else "UNKNOWN"), message
