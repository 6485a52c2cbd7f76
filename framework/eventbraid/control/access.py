"""Who may control a job: where the service listens, and the token that callers need."""

from __future__ import annotations

from eventbraid.address import check_address, is_here
from eventbraid.errors import ConfigurationError
from eventbraid.tokens import check_token

__all__ = ["check_control_address"]


def check_control_address(address: str, token: str | None = None) -> str:
    """The address "host:port" as it is, where port 0 asks for a free one; raises `ConfigurationError`.

    Without a token it must be one of this very machine.
    """
    host, _, port = address.rpartition(":")
    try:
        check_address(f"{host}:1" if port == "0" else address)
    except ConfigurationError:
        expected = 'expected "host:port", as in "127.0.0.1:9000", where port 0 asks for a free one'
        raise ConfigurationError(f"{address!r} is no server address: {expected}", "--control") from None
    if check_token(token, "--control-token") is None and not is_here(address):
        raise ConfigurationError(
            f"{address} can be reached from other machines, and without a token whoever reaches it may stop the job: "
            f"give a token with --control-token, or listen at 127.0.0.1:{port}",
            "--control",
        )
    return address
