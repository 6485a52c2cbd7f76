"""Bearer tokens in the metadata of gRPC calls: those that are sent, and a server that asks for one."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from eventbraid.errors import ConfigurationError, need_extra

__all__ = ["SERVER_TOKEN_VARIABLE", "TOKEN_KEY", "bearer", "check_token", "guard"]

TOKEN_KEY: Final = "authorization"
SERVER_TOKEN_VARIABLE: Final = "EVENTBRAID_SERVER_TOKEN"
"""The token that a server of models is to ask for: on a command line all users of a machine see it."""


def check_token(token: str | None, subject: str) -> str | None:
    """The token as it is; raises `ConfigurationError` for one that cannot be sent."""
    if token is not None and not (token and all("!" <= character <= "~" for character in token)):
        what = "has characters that cannot be sent" if token else "is empty"
        raise ConfigurationError(f"{what}: expected ASCII letters, digits and signs, no spaces", subject)
    return token


def bearer(token: str) -> str:
    """The metadata that says who calls."""
    return f"Bearer {token}"


def guard(token: str, said: str) -> Any:
    """The interceptor of a grpc.aio server that turns down every call without the token.

    `said` is its answer, in which {given} becomes "none" or "another".
    """
    grpc: Any = need_extra("grpc", "inference", "a gRPC server")
    expected = bearer(token).encode()

    class Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc is imported late
        """Asks for the token before a call is even looked up."""

        async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
            given = _given(details.invocation_metadata)
            if given is not None and hmac.compare_digest(given, expected):
                return await continuation(details)
            answer = said.format(given="none" if given is None else "another")

            async def turn_down(request: Any, context: Any) -> None:
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, answer)

            return grpc.unary_unary_rpc_method_handler(turn_down)

    return Guard()


def _given(metadata: Sequence[tuple[str, str | bytes]]) -> bytes | None:
    for key, value in metadata:
        if key == TOKEN_KEY:
            return value if isinstance(value, bytes) else value.encode()
    return None
