"""A channel of grpc.aio to a server, as it is secured."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eventbraid.errors import need_extra
from eventbraid.inference.servers.security import context_of
from eventbraid.inference.servers.server import Server

__all__ = ["open_channel"]


def open_channel(server: Server, options: Sequence[tuple[str, Any]] = ()) -> Any:
    """A channel on the running loop; raises `ConfigurationError` where the certificates cannot be used.

    What goes along with every call (`Server.metadata`) is for the caller to send.
    """
    grpc = need_extra("grpc", "inference", "talking to an inference server")
    tls = server.security
    if tls is None:
        return grpc.aio.insecure_channel(server.address, options=options)
    context_of(tls)  # gRPC takes whatever it is given, and fails when it connects, without saying why
    roots = tls.roots or ssl.get_default_verify_paths().cafile
    key = tls.key or tls.certificate
    credentials = grpc.ssl_channel_credentials(
        *(Path(f).read_bytes() if f else None for f in (roots, key, tls.certificate))
    )
    if tls.name:
        options = (*options, ("grpc.ssl_target_name_override", tls.name))
    return grpc.aio.secure_channel(server.address, credentials, options=options)
