"""The secure connection to a server, and why there is none, in words."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import Final

from eventbraid.certificates import load_certificates
from eventbraid.inference.servers.server import TLS, Server

__all__ = ["context_of", "handshake_fault", "refusal", "server_name"]

LOOK_SECONDS: Final = 2.0
"""For a second look at a server that does not let us in."""
CLOSED: Final = "closed"
CERTIFICATE_REQUEST: Final = 13
"""The message of a handshake with which a server asks for the client's certificate."""

FAULTS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), what)
    for pattern, what in (
        (
            r"hostname mismatch|address mismatch|hostname verification check failed|not valid for",
            "the server's certificate is for another name than its address (tls.name says which to expect)",
        ),
        (r"certificate has expired", "the server's certificate has expired"),
        (r"certificate is not yet valid", "the server's certificate is not valid yet"),
        (
            r"certificate.verify.failed",
            "the server's certificate is not trusted: no authority that is known here signed it (tls.roots)",
        ),
        (
            r"alert.(?:bad.certificate|unsupported.certificate|certificate.|unknown.ca|access.denied)",
            "the server does not accept the certificate of this client, or wants one (tls.certificate)",
        ),
        (
            r"wrong.version.number|http.request|record.layer.failure|packet.length.too.long",
            "the server does not speak TLS: leave out tls, or use another port",
        ),
        (
            r"protocol.version|unsupported.protocol|handshake.failure|no.shared.cipher|no.protocols.available",
            "server and client have no version of TLS in common, or the server wants a certificate (tls.certificate)",
        ),
        (r"failed to create security handshaker", "the certificates in tls cannot be used"),
    )
)
"""What gRPC, OpenSSL and BoringSSL say, and what that means."""


def handshake_fault(details: str) -> str:
    """Why no secure connection can be made, as the details of a failed call tell; empty where they tell nothing.

    What it names does not go away by itself.
    """
    return next((what for pattern, what in FAULTS if pattern.search(details)), "")


def context_of(tls: TLS) -> ssl.SSLContext:
    """The context of a client for HTTP/2; raises `ConfigurationError` with every fault of the files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    if tls.roots is None:
        context.load_default_certs()
    return load_certificates(context, roots=tls.roots, certificate=tls.certificate, key=tls.key)


async def refusal(server: Server) -> str:
    """Why a server closes connections before it says a word, as a second look tells; empty where it does not tell.

    A server that wants TLS, or another certificate of the client, just closes; so does one that is killed.
    """
    security = server.security
    if security is None:
        anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        said = await _shake_hands(server, anybody)
        speaks = said is not None and (said == "" or "alert" in said.lower())
        return "the server speaks TLS: give it tls=True, or tls=TLS(roots=...)" if speaks else ""
    context, asked = context_of(security), list[object]()

    def note(*message: object) -> None:
        asked.append(message[4])

    # The only way to see whether a server asks for a certificate; with TLS 1.3 it closes after the handshake.
    setattr(context, "_msg_callback", note)  # noqa: B010
    said = await _shake_hands(server, context)
    if said in ("", CLOSED) and CERTIFICATE_REQUEST in asked:
        if security.certificate is None:
            return "the server wants a certificate of the client: give tls.certificate"
        return "the server does not accept the certificate of this client"
    return handshake_fault(said or "")


def server_name(server: Server) -> str:
    """The name that the server's certificate must have."""
    named = server.security.name if server.security is not None else ""
    return named or server.address.rpartition(":")[0].strip("[]")


async def _shake_hands(server: Server, context: ssl.SSLContext) -> str | None:
    """Make a connection and give it up: empty where that went well, else why not; None where nobody is there."""
    host, _, port = server.address.rpartition(":")
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            _, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=context, server_hostname=server_name(server)
            )
    except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return CLOSED
    except ssl.SSLError as error:
        return str(error)
    except (OSError, TimeoutError):
        return None
    writer.transport.abort()
    return ""
