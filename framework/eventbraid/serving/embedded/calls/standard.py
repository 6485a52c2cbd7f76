"""The services that gRPC itself has for every server: health, and reflection, by which tools find what it can do."""

from __future__ import annotations

from typing import Any

from eventbraid.errors import need_extra
from eventbraid.serving.embedded.calls.service import NAME

__all__ = ["Health", "reflect"]


class Health:
    """Says SERVING from its registration on, and NOT_SERVING once `drain` is called."""

    def __init__(self, server: Any) -> None:
        health = need_extra("grpc_health.v1.health", "serving", "the embedded server")
        generated = need_extra("grpc_health.v1.health_pb2_grpc", "serving", "the embedded server")
        self._serving = need_extra(
            "grpc_health.v1.health_pb2", "serving", "the embedded server"
        ).HealthCheckResponse.SERVING
        self._servicer = health.aio.HealthServicer()
        generated.add_HealthServicer_to_server(self._servicer, server)

    async def begin(self) -> None:
        """It serves."""
        for name in ("", NAME):
            await self._servicer.set(name, self._serving)

    async def drain(self) -> None:
        """It ends."""
        await self._servicer.enter_graceful_shutdown()


def reflect(server: Any) -> None:
    """Let tools ask a server for its services and messages."""
    reflection = need_extra("grpc_reflection.v1alpha.reflection", "serving", "the embedded server")
    generated = need_extra("grpc_reflection.v1alpha.reflection_pb2_grpc", "serving", "the embedded server")
    servicer = reflection.aio.ReflectionServicer((NAME, "grpc.health.v1.Health", reflection.SERVICE_NAME))
    generated.add_ServerReflectionServicer_to_server(servicer, server)
