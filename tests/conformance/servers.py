"""The two servers of the suite, each started with the same models."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from gates import PATIENCE
from real_triton import require_triton
from repository import Models

from eventbraid.serving import EmbeddedServer, TritonServer
from eventbraid.serving.triton.server import free_port

CHANNEL: Final = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "timeout": f"{PATIENCE:.0f}s"}]})),
]
"""Options of every client's channel: no call waits for ever."""


@dataclass(frozen=True)
class Served:
    """A running server: its kind, its addresses, that of its metrics a URL, the models that it reads, and its process."""

    kind: str
    address: str
    metrics: str
    models: Models
    pid: int

    async def pending(self, model: str, count: int) -> None:
        """Wait until so many requests of a model are queued."""
        found = -1.0
        try:
            async with asyncio.timeout(PATIENCE):
                while found != count:
                    found = await asyncio.to_thread(
                        self._metric, f'nv_inference_pending_request_count{{model="{model}"'
                    )
        except TimeoutError:
            raise AssertionError(f"{found:g} requests of {model!r} are queued, not {count}") from None

    def _metric(self, start: str) -> float:
        try:
            with urllib.request.urlopen(self.metrics, timeout=PATIENCE) as answer:
                lines = answer.read().decode().splitlines()
        except urllib.error.URLError:  # Triton starts its metrics last
            return -1.0
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start))


@contextmanager
def served(kind: str, models: Models) -> Iterator[Served]:
    """A server of this kind with these models, in a thread of its own, so that tests with a loop each can share it."""
    with embedded(models) if kind == "embedded" else real(models) as found:
        yield found


@contextmanager
def embedded(models: Models) -> Iterator[Served]:
    """The embedded server."""
    server = EmbeddedServer([models.networks, models.python], metrics_port=0)
    with running(server):
        assert server.pid is not None
        yield Served("embedded", server.address, server.metrics_address, models, server.pid)


@contextmanager
def real(models: Models) -> Iterator[Served]:
    """The real Triton; it reads the Python models where they are, and finds there what is added later."""
    require_triton()
    metrics = free_port()
    options = [
        *(f"--model-repository={models.python}", "--model-control-mode=explicit", "--load-model=*"),
        *("--allow-metrics=true", "--metrics-address=127.0.0.1", f"--metrics-port={metrics}"),
        *("--allow-gpu-metrics=false", "--allow-cpu-metrics=false"),
    ]
    server = TritonServer([models.networks], options=options)
    with running(server):
        assert server.pid is not None
        yield Served("triton", server.address, f"http://127.0.0.1:{metrics}/metrics", models, server.pid)


@contextmanager
def running(server: EmbeddedServer | TritonServer) -> Iterator[None]:
    """Start and stop a server by a loop that goes on in a thread of its own."""
    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(loop.run_forever)

        def do(what: Coroutine[Any, Any, object]) -> None:
            asyncio.run_coroutine_threadsafe(what, loop).result()

        try:
            do(server.start())
            try:
                yield
            finally:
                do(server.stop())
        finally:
            loop.call_soon_threadsafe(loop.stop)
    loop.close()


SERVERS: Sequence[str] = ("embedded", "triton")
