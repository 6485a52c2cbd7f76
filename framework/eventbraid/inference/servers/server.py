"""One server, as a user says it: where it is, how the connection to it is secured, what it may be given."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Final

from eventbraid.address import check_address, is_here
from eventbraid.errors import ConfigurationError, Fault
from eventbraid.tokens import TOKEN_KEY, bearer, check_token

__all__ = ["TLS", "Server"]


@dataclass(frozen=True, slots=True)
class TLS:
    """How server and client know each other; every file is PEM.

    `roots` are the authorities whose servers are trusted, this machine's where None. `certificate` and `key` are the
    client's own, for a server that asks for them (mutual TLS); the key may stand in the certificate's file. `name` is
    that in the server's certificate, where it is not the host of the address.
    """

    roots: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None
    name: str = ""

    def __post_init__(self) -> None:
        faults = list(_wrong_types(self, _OF_TLS))
        if self.key is not None and self.certificate is None:
            faults.append("a key needs its certificate: give certificate too")
        if faults:
            raise ConfigurationError([Fault("tls", what) for what in faults], "tls")


@dataclass(frozen=True)
class Server:
    """An inference server at "host:port".

    `name` is what modules and the report call it, the address where empty. `tls` is True for a secure connection
    that trusts the authorities of this machine, a `TLS` for others or with a certificate of the client's own. `token`
    goes along with every call (authorization: Bearer TOKEN), and so do `headers`. A token over a connection that is
    not secure can be read on its way: it is sent only to a server of this host, or where `insecure_token` allows it.
    `shared_memory` says whether the server sees this host's; None: where its address is one of this host. At most
    `max_requests` and `max_bytes` are given to it at once. With `replicas` the host is a name that stands for several
    servers: each address that it resolves to is a server of its own, with these bounds each.
    """

    address: str
    _: KW_ONLY
    name: str = ""
    tls: TLS | bool | None = None
    token: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, hash=False)
    shared_memory: bool | None = None
    max_requests: int | None = None
    max_bytes: int | None = None
    replicas: bool = False
    insecure_token: bool = False

    def __post_init__(self) -> None:
        where = f"server {self.address!r}"
        if faults := list(_wrong_types(self, _OF_SERVER)) or list(_faults(self)):
            raise ConfigurationError([Fault(where, what) for what in faults], where)
        object.__setattr__(self, "headers", {name.lower(): value for name, value in self.headers.items()})
        object.__setattr__(self, "name", self.name or self.address)

    @property
    def security(self) -> TLS | None:
        """How the connection is secured; None where it is not."""
        return self.tls if isinstance(self.tls, TLS) else TLS() if self.tls else None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes along with every call."""
        return (*self.headers.items(), *(((TOKEN_KEY, bearer(self.token)),) if self.token else ()))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_file(value: object) -> bool:
    return value is None or isinstance(value, Path) or (isinstance(value, str) and value != "")


def _is_bound(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)


def _are_headers(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, (*value.keys(), *value.values())))


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


_OF_TLS: Final[Mapping[str, tuple[str, Callable[[object], bool]]]] = {
    **dict.fromkeys(("roots", "certificate", "key"), ("the path of a PEM file", _is_file)),
    "name": ("the name in the server's certificate", _is_text),
}
_OF_SERVER: Final[Mapping[str, tuple[str, Callable[[object], bool]]]] = {
    "name": ("a text", _is_text),
    "tls": ("true, false or TLS(...)", lambda value: value is None or isinstance(value, (TLS, bool))),
    "token": ("a text", _is_text),
    "headers": ("texts by their names", _are_headers),
    "shared_memory": ("true or false", lambda value: value is None or _is_bool(value)),
    **dict.fromkeys(("max_requests", "max_bytes"), ("a whole number of at least 1", _is_bound)),
    **dict.fromkeys(("replicas", "insecure_token"), ("true or false", _is_bool)),
}
"""What each field must be."""
_HEADER: Final = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")
_OF_HTTP: Final = ("connection", "content-type", "host", "te", "user-agent")


def _wrong_types(given: object, table: Mapping[str, tuple[str, Callable[[object], bool]]]) -> Iterator[str]:
    for name, (wanted, holds) in table.items():
        if not holds(value := getattr(given, name)):
            shown = "" if name in ("token", "headers") else f", not {value!r}"  # they may be secret
            yield f"{name} must be {wanted}{shown}"


def _faults(server: Server) -> Iterator[str]:
    try:
        check_address(server.address)
    except ConfigurationError as error:
        yield from (fault.what for fault in error.faults)
        return
    seen = set[str]()
    for name in map(str.lower, server.headers):
        if not _HEADER.fullmatch(name) or name in _OF_HTTP:
            yield f"header {name!r} cannot be sent: expected letters, digits, -_., and no name that HTTP or gRPC uses"
        elif name in seen or (name == TOKEN_KEY and server.token):
            yield f"header {name!r} is given twice"
        seen.add(name)
    for name, value in server.headers.items():
        if not value.isascii():
            yield f"header {name!r} has a value that cannot be sent: expected ASCII"
    if server.token:
        try:
            check_token(server.token, "token")
        except ConfigurationError as error:
            yield from (f"the token {fault.what}" for fault in error.faults)
        if not (server.tls or server.insecure_token or is_here(server.address)):
            yield "a token over a connection without TLS can be read on its way: give tls too, or insecure_token=True"
