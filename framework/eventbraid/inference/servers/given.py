"""The servers that a job, a command or the environment names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from eventbraid.address import SERVERS_VARIABLE, check_address
from eventbraid.errors import ConfigurationError, Fault
from eventbraid.inference.servers.file import read_servers
from eventbraid.inference.servers.security import context_of
from eventbraid.inference.servers.server import TLS, Server

__all__ = ["TLS", "Server", "servers_of"]

DNS: Final = "dns:///"
"""As gRPC writes a name that stands for several servers."""


def servers_of(given: Sequence[str | Path | Server], environment: Mapping[str, str]) -> tuple[Server, ...]:
    """The servers that are given, or else those of EVENTBRAID_SERVERS; raises `ConfigurationError` with every fault.

    Each is a `Server`, an address "host:port" or "dns:///host:port" (replicas), or the TOML file of several: a Path,
    or a text that ends in ".toml".
    """
    where = "servers"
    if not given:
        where = SERVERS_VARIABLE
        given = [text for each in environment.get(where, "").split(",") if (text := each.strip())]
    faults, servers = list[Fault](), list[Server]()
    for each in given:
        try:
            servers += _read(each, environment)
        except ConfigurationError as error:
            faults += error.faults
    for what, texts in (
        ("is named twice", Counter(each.address.lower() for each in servers)),
        ("is the name of two servers", Counter(name for name, _ in {(each.name, each.address) for each in servers})),
    ):
        faults += [Fault(where, f"{text!r} {what}") for text, times in texts.items() if times > 1]
    for server in servers:
        try:
            if server.security is not None:
                context_of(server.security)
        except ConfigurationError as error:
            faults += [Fault(f"server {server.name!r}", f"tls: {fault.what}") for fault in error.faults]
    if faults:
        raise ConfigurationError(faults, where)
    return tuple(servers)


def _read(given: object, environment: Mapping[str, str]) -> Sequence[Server]:
    if isinstance(given, Server):
        return [given]
    if isinstance(given, Path) or (isinstance(given, str) and given.endswith(".toml")):
        return read_servers(Path(given), environment)
    if isinstance(given, str) and given.startswith(DNS):
        return [Server(given.removeprefix(DNS), replicas=True)]
    try:
        return [Server(check_address(given))]
    except ConfigurationError as error:
        raise ConfigurationError([replace(each, hint="or the path of a file.toml") for each in error.faults]) from None
