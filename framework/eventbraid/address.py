"""Addresses of servers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from eventbraid.errors import ConfigurationError

__all__ = ["SERVERS_VARIABLE", "check_address", "is_here", "names_servers"]

SERVERS_VARIABLE: Final = "EVENTBRAID_SERVERS"
"""Names inference servers where neither the job nor the command does."""

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")


def check_address(address: object) -> str:
    """The address "host:port" as it is; raises `ConfigurationError` that says what is expected."""
    match = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if match is None or not 1 <= int(match["port"]) <= 65535:
        expected = 'expected "host:port" with a port from 1 to 65535, as in "localhost:8001" or "[::1]:8001"'
        raise ConfigurationError(f"{address!r} is no server address: {expected}", "server")
    return match.group()


@lru_cache(maxsize=256)
def is_here(address: str) -> bool:
    """True for an address "host:port" of this very host, by the names that mean it everywhere."""
    host = address.rpartition(":")[0]
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def names_servers(servers: Sequence[object], environment: Mapping[str, str]) -> bool:
    """True where a job's servers, or else the environment, name a server."""
    return bool(servers) or bool(environment.get(SERVERS_VARIABLE, "").strip(" ,"))
