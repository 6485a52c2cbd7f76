"""The client's connection to a simulated server: calls take the time of the network, and no bytes go anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from eventbraid.inference.transport.base import TransportError
from eventbraid.kserve.wire import protocol
from eventbraid.studies.simulation.rehearsal.host import Asked, Host
from eventbraid.studies.simulation.wires import wires
from eventbraid.testing.world import Process

__all__ = ["VirtualTransport"]


class VirtualTransport:
    """One connection of one client; see `eventbraid.inference.transport.base.Transport`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._client = cast("Process", asyncio.get_running_loop())
        bandwidth = host.server.network.client
        self._out, self._back = wires(bandwidth)

    async def call(
        self,
        method: str,
        parts: Sequence[bytes | memoryview],
        *,
        timeout: float,  # noqa: ASYNC109
        compression: str = "",
    ) -> bytes:
        """See `Transport.call`."""
        client, host, half = self._client, self._host, self._host.server.network.latency / 2
        model, rows = meant(method, bytes(parts[0]))
        asked = Asked(client, method, model, rows, client.create_future())
        infers = method == "ModelInfer"
        through = client.now
        if self._out is not None and infers:
            through = self._out.sent(rows * host.server.models[model].row_bytes, through)
        host.process.call_at(through + half, host.arrive, asked)
        try:
            async with asyncio.timeout(timeout):
                answer = await asked.answer
                if self._back is not None and infers:
                    through = self._back.sent(rows * host.server.models[model].answer_bytes, client.now)
                    await asyncio.sleep(through - client.now)
                return answer
        except TimeoutError:
            host.process.call_at(client.now + half, host.cancel, asked)
            raise TransportError("DEADLINE_EXCEEDED", "Deadline Exceeded") from None
        except asyncio.CancelledError:
            host.process.call_at(client.now + half, host.cancel, asked)
            raise

    async def aclose(self) -> None:
        """See `Transport.aclose`."""


@lru_cache(maxsize=256)
def meant(method: str, head: bytes) -> tuple[str, int]:
    """The model that a call names, and its rows."""
    pb: Any = protocol()
    if method == "ModelInfer":
        request = pb.ModelInferRequest.FromString(head)
        return request.model_name, request.inputs[0].shape[0]
    if method in ("ModelMetadata", "ModelConfig", "ModelStatistics"):
        return getattr(pb, f"{method}Request").FromString(head).name, 0
    return "", 0
