"""The real Triton for tests, or the reason why there is none here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tritonclient.utils import InferenceServerException

from eventbraid import ConfigurationError
from eventbraid.serving import ServerTLS, TritonServer
from eventbraid.serving.triton.environment import triton_environment


def require_triton() -> None:
    """Skip where Triton cannot run on this machine; else see to it that it is installed."""
    try:
        triton_environment()
    except ConfigurationError as error:
        pytest.skip(str(error))


@contextmanager
def triton(repository: Path, tls: ServerTLS | None = None, options: Sequence[str] = ()) -> Iterator[str]:
    """The address of a running Triton with the models of a repository; it has a loop and a thread of its own, and so
    it can be shared by tests that each have a loop."""
    require_triton()
    server = TritonServer([repository], tls=tls, options=options)
    with ThreadPoolExecutor(1) as thread, asyncio.Runner() as runner:
        thread.submit(runner.run, server.start()).result()
        try:
            yield server.address
        finally:
            thread.submit(runner.run, server.stop()).result()


async def unregister(client: Any, region: str) -> None:
    """Unregister a region that Triton may still use for a moment after its answer has come."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await client.unregister_system_shared_memory(region)
            except InferenceServerException as error:
                if "currently in use" not in str(error):
                    raise
