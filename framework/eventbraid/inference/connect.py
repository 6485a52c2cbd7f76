"""From what a job says of servers to its one client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from eventbraid.errors import ConfigurationError
from eventbraid.inference.client import InferenceClient
from eventbraid.inference.triton import TritonClient
from eventbraid.resources import Resources
from eventbraid.serving import EmbeddedServer, known_repositories

__all__ = ["client_of", "open_client"]


class _OwnServer(TritonClient):
    """A client of a server that it has started, and stops."""

    def __init__(self, server: EmbeddedServer) -> None:
        super().__init__([server.address])
        self._server = server

    async def aclose(self) -> None:
        try:
            await super().aclose()
        finally:
            await self._server.stop()


async def open_client(
    servers: Sequence[str], models: Sequence[str | Path], say: Callable[[str], None]
) -> InferenceClient:
    """A client of the servers; with none, of an embedded server of its own, and it says so."""
    if servers:
        return TritonClient(servers)
    folders = known_repositories(models)
    if not folders:
        what = "a module needs a model, but the job names no server, no folder of models, and none is installed"
        raise ConfigurationError(f"{what}: give servers=[...] or models=[...]", "the job")
    server = EmbeddedServer(folders)
    try:
        await server.start()
    except BaseException:
        await server.stop()
        raise
    say(f"no server is named: an embedded one is started at {server.address} with {', '.join(server.models)}")
    return _OwnServer(server)


async def client_of(resources: Resources) -> InferenceClient:
    """The client that all modules of a job share."""
    job = resources.job

    async def factory() -> InferenceClient:
        return await open_client(job.servers, job.models, resources.say)

    return cast("InferenceClient", await resources.get("inference", factory))
