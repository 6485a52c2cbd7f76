"""Who is let in to a server: by its certificate, by those of its clients, by a token."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eventbraid.certificates import load_certificates
from eventbraid.errors import ConfigurationError
from eventbraid.tokens import check_token, guard

__all__ = ["ServerTLS", "interceptors", "tls_of"]

NO_TOKEN: Final = "this server wants a token (authorization: Bearer TOKEN), and {given} was given"


@dataclass(frozen=True, slots=True)
class ServerTLS:
    """A server's own certificate and key, PEM files; with `clients` it serves only who shows a certificate of that
    authority."""

    certificate: str | Path
    key: str | Path
    clients: str | Path | None = None

    def options(self) -> list[str]:
        """Triton's options for it."""
        own = [f"--grpc-server-cert={self.certificate}", f"--grpc-server-key={self.key}"]
        if self.clients is None:
            return ["--grpc-use-ssl=true", *own]
        return ["--grpc-use-ssl-mutual=true", *own, f"--grpc-root-cert={self.clients}"]

    def context(self) -> ssl.SSLContext:
        """The security of a server's connections; raises `ConfigurationError` with every fault of the files."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        load_certificates(context, roots=self.clients, certificate=self.certificate, key=self.key, subject="serve")
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        if self.clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def tls_of(certificate: str | Path | None, key: str | Path | None, clients: str | Path | None) -> ServerTLS | None:
    """What the options --tls-cert, --tls-key and --tls-client-roots say; None where there is none of them."""
    if certificate is None and key is None and clients is None:
        return None
    if certificate is None or key is None:
        raise ConfigurationError("a server with TLS needs both --tls-cert and --tls-key", "serve")
    return ServerTLS(certificate, key, clients)


def interceptors(token: str) -> list[Any]:
    """The interceptors of a server that ask for the token; none where it is empty."""
    return [guard(check_token(token, "--token") or "", NO_TOKEN)] if token else []
