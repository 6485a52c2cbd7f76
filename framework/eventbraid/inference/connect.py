"""From what a job says of servers to its one client."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Unpack, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventbraid.errors import ConfigurationError
from eventbraid.inference.client import InferenceClient, RequestOptions
from eventbraid.inference.fallback import WithFallback
from eventbraid.inference.local import LocalClient
from eventbraid.inference.servers.given import servers_of
from eventbraid.inference.triton import TritonClient
from eventbraid.job import Job
from eventbraid.kserve import ModelMetadata, Tensors
from eventbraid.resources import Resources
from eventbraid.serving import EmbeddedServer, known_repositories
from eventbraid.whereabouts import waiting_for

__all__ = ["AnyLoop", "client_of", "open_client"]

T = TypeVar("T")


class _OwnServer(TritonClient):
    """A client of a server that it has started, and stops."""

    def __init__(self, server: EmbeddedServer, say: Callable[[str], None]) -> None:
        super().__init__([server.address], say=say)
        self._server = server

    async def aclose(self) -> None:
        try:
            await super().aclose()
        finally:
            await self._server.stop()


class AnyLoop:
    """A client that may be asked on the loops of other threads; it works on the loop where this was made."""

    def __init__(self, client: InferenceClient) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()

    def __repr__(self) -> str:
        return repr(self._client)

    async def metadata(self, model: str, version: str = "", *, timeout: float = 5.0) -> ModelMetadata:  # noqa: ASYNC109
        """See `InferenceClient.metadata`."""
        return await self._on_its_loop(lambda: self._client.metadata(model, version, timeout=timeout))

    def configs(self, model: str, version: str = "") -> Mapping[str, Any]:
        """The servers' configurations of a model; see `InferenceClient.configs`."""
        return self._client.configs(model, version)

    async def infer(self, model: str, inputs: Tensors, **options: Unpack[RequestOptions]) -> Tensors:
        """See `InferenceClient.infer`."""
        if asyncio.get_running_loop() is self._loop:
            return await self._client.infer(model, inputs, **options)
        return await self._on_its_loop(lambda: self._client.infer(model, inputs, **options))

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """An array for an input, in shared memory where the client has some."""
        return getattr(self._client, "empty", np.empty)(shape, dtype)

    async def report(self) -> dict[str, Any]:
        """The client's report."""
        return await self._client.report()

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    async def _on_its_loop(self, work: Callable[[], Awaitable[T]]) -> T:
        if asyncio.get_running_loop() is self._loop:
            return await work()
        there: list[asyncio.Task[Any]] = []

        async def ask() -> T:
            task = asyncio.current_task()
            assert task is not None
            there.append(task)
            return await work()

        with waiting_for(there):
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(), self._loop))


async def _own_server(folders: Sequence[Path], say: Callable[[str], None], why: str) -> InferenceClient:
    server = EmbeddedServer(folders)
    try:
        await server.start()
    except BaseException:
        await server.stop()
        raise
    say(f"{why}: an embedded one is started at {server.address} with {', '.join(server.models)}")
    return _OwnServer(server, say)


async def open_client(job: Job, say: Callable[[str], None]) -> InferenceClient:
    """A client of the job's servers, with its fallback; where none is named, the local one or that of an own server."""
    servers = servers_of(job.servers, os.environ)
    folders = known_repositories(job.models)
    if not servers and job.fallback == "local" and folders:
        return LocalClient(folders, threads=spare_cores(usable_cores()))
    if not servers:
        if not folders:
            what = "a module needs a model, but the job names no server, no folder of models, and none is installed"
            raise ConfigurationError(f"{what}: give servers=[...] or models=[...]", "the job")
        return await _own_server(folders, say, "no server is named")
    if job.fallback == "none":
        return TritonClient(servers, say=say)

    async def fall_back() -> InferenceClient:
        if job.fallback == "local":
            return LocalClient(folders, threads=spare_cores(usable_cores()))
        return await _own_server(folders, say, "no server helps")

    return WithFallback(TritonClient(servers, say=say, patient=False), fall_back, say)


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spare_cores(cores: int) -> int:
    """The threads of a fallback: all cores but the one that the job itself uses."""
    return max(cores - 1, 1)


async def client_of(resources: Resources) -> InferenceClient:
    """The client that all modules of a job share."""

    async def factory() -> InferenceClient:
        return AnyLoop(await open_client(resources.job, resources.say))

    return cast("InferenceClient", await resources.get("inference", factory))
