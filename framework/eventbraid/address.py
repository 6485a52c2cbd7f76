"""Addresses of servers."""

from __future__ import annotations

import re

from eventbraid.errors import ConfigurationError

__all__ = ["check_address", "is_here"]

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


def check_address(address: object) -> str:
    """The address "host:port" as it is; raises `ConfigurationError` that says what is expected."""
    match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if match is None or not 1 <= int(match["port"]) <= 65535:
        expected = 'expected "host:port" with a port from 1 to 65535, as in "localhost:8001" or "[::1]:8001"'
        raise ConfigurationError(f"{address!r} is no server address: {expected}", "server")
    return match.group()


def is_here(address: str) -> bool:
    """True for an address "host:port" of this very host, by the names that mean it everywhere."""
    host = address.rpartition(":")[0]
    return host in ("localhost", "[::1]") or host.startswith("127.")
