"""Who may control a job: where the service listens, and the token that callers need."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any, Final

from eventbraid.address import check_address
from eventbraid.errors import ConfigurationError, need_extra

__all__ = ["TOKEN_KEY", "bearer", "check_control_address", "check_token", "guard"]

TOKEN_KEY: Final = "authorization"


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
    if check_token(token) is None and not _is_loopback(host):
        raise ConfigurationError(
            f"{address} can be reached from other machines, and without a token whoever reaches it may stop the job: "
            f"give a token with --control-token, or listen at 127.0.0.1:{port}",
            "--control",
        )
    return address


def check_token(token: str | None, subject: str = "--control-token") -> str | None:
    """The token as it is; raises `ConfigurationError` for one that cannot be sent."""
    if token is not None and not (token and all("!" <= character <= "~" for character in token)):
        what = "has characters that cannot be sent" if token else "is empty"
        raise ConfigurationError(f"{what}: expected ASCII letters, digits and signs, no spaces", subject)
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def bearer(token: str) -> str:
    """The metadata that says who calls."""
    return f"Bearer {token}"


def guard(token: str) -> Any:
    """The interceptor that turns down every call without the token."""
    grpc: Any = need_extra("grpc", "inference", "the job control service")
    expected = bearer(token).encode()

    class Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc is imported late
        """Asks for the token before a call is even looked up."""

        async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
            given = _given(details.invocation_metadata)
            if given is not None and hmac.compare_digest(given, expected):
                return await continuation(details)
            said = f"the job was started with a token, and {'none' if given is None else 'another'} was given"

            async def turn_down(request: Any, context: Any) -> None:
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, said)

            return grpc.unary_unary_rpc_method_handler(turn_down)

    return Guard()


def _given(metadata: Sequence[tuple[str, str | bytes]]) -> bytes | None:
    for key, value in metadata:
        if key == TOKEN_KEY:
            return value if isinstance(value, bytes) else value.encode()
    return None
