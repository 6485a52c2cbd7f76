from dataclasses import dataclass

from eventbraid.address import check_address


@dataclass(frozen=True)
class Server:
    address: str
    name: str = ""
    shared_memory: bool | None = None
    max_requests: int | None = None
    max_bytes: int | None = None


def servers_of(given, environment=()):
    return tuple(e if isinstance(e, Server) else Server(check_address(e), e) for e in given)
