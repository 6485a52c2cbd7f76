"""Header fields of gRPC calls: those of a request as bytes (HPACK, RFC 7541), those of an answer, its status."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Final
from urllib.parse import unquote

from eventbraid.errors import need_extra
from eventbraid.inference.transport.http2.frames import Code, FrameError

__all__ = ["NO_TABLE", "Decoder", "literal", "request_fields", "reset_status", "status_of", "timeout_field"]

NAMES: Final = (
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
STATUS: Final = {str(number): name for number, name in enumerate(NAMES)}
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
NO_TABLE: Final = b"\x20"
"""Before the first field of a connection: we remember none, whatever the server allows later."""
MOST_BYTES: Final = 1 << 20
"""Of the fields of an answer: a status may come with a long text, such as a traceback."""
MOST_KNOWN: Final = 64
TIMEOUT: Final = b"\x00\x0cgrpc-timeout"


def literal(name: bytes, value: bytes, *, secret: bool = False) -> bytes:
    """A field that we do not remember; a secret one no proxy may remember either."""
    return (b"\x10" if secret else b"\x00") + _length(len(name)) + name + _length(len(value)) + value


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


class Decoder:
    """Reads header blocks of one connection.

    A block of nothing but fields that both sides remember changes no memory, and comes again and again: it is
    read once. Every other block is read by hpack, and may change what the remembered numbers mean.
    """

    def __init__(self) -> None:
        self._hpack: Any = need_extra("hpack", "inference", "talking to an inference server")
        self._decoder: Any = self._hpack.Decoder(MOST_BYTES)
        self._known: dict[bytes, dict[str, str]] = {}

    def decode(self, block: bytes) -> dict[str, str]:
        """The fields by name; raises `FrameError`."""
        known = self._known.get(block)
        if known is not None:
            return known
        changes = not all(0x80 < byte < 0xFF for byte in block)
        if changes or len(self._known) >= MOST_KNOWN:
            self._known.clear()
        try:
            fields = {_text(name): _text(value) for name, value in self._decoder.decode(block, raw=True)}
        except self._hpack.HPACKError as error:
            raise FrameError(f"a header block cannot be read: {error}") from error
        if not changes:
            self._known[block] = fields
        return fields


def _text(raw: bytes) -> str:
    return bytes(raw).decode("utf-8", "replace")


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
