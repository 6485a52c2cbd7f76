"""Models in this process: closing and cancelling in the middle, and what is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eventbraid import ServerError
from eventbraid.errors import RequestError, ServerTimeout
from eventbraid.inference import LocalClient
from eventbraid.inference import local as module
from eventbraid.kserve import Tensors

ROWS = np.ones((2, 3), np.float32)


class Gate:
    """Holds computations until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)

    def session(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            self.entered.release()
            assert self.open.wait(30)
            return compute(*args)

        return run


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A gate before each computation."""
    gate = Gate()
    monkeypatch.setattr(module.Session, "run", gate.session(module.Session.run))
    yield gate
    gate.open.set()


async def entered(gate: Gate) -> None:
    """Return once a computation has begun."""
    assert await asyncio.to_thread(gate.entered.acquire, timeout=30)


def ask(client: LocalClient, count: int = 2, **options: Any) -> asyncio.Task[Tensors]:
    return asyncio.create_task(client.infer("sum", {"x": np.ones((count, 3), np.float32)}, **options))


async def test_closing_waits_for_what_computes_and_ends_what_waits(repository: Path, gate: Gate) -> None:
    client = LocalClient([repository])
    computing = ask(client)
    await entered(gate)
    waiting = [ask(client) for _ in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(client.aclose())
    for task in waiting:
        with pytest.raises(ServerError, match="in this process, model 'sum': this client is closed"):
            await task
    assert not closing.done()
    gate.open.set()
    assert (await computing)["total"].tolist() == [[3], [3]]
    await closing


async def test_closing_ends_a_request_in_pieces(repository: Path, gate: Gate) -> None:
    client = LocalClient([repository])
    task = ask(client, 10, batch_size=1)
    await entered(gate)
    closing = asyncio.create_task(client.aclose())
    with pytest.raises(ServerError, match="this client is closed"):
        await task
    gate.open.set()
    await closing


async def test_a_request_that_is_cancelled_does_not_wait_for_its_computation(repository: Path, gate: Gate) -> None:
    client = LocalClient([repository])
    task = ask(client)
    await entered(gate)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open.set()
    await client.aclose()


async def test_a_computation_that_takes_too_long_is_a_timeout(repository: Path, gate: Gate) -> None:
    client = LocalClient([repository])
    with pytest.raises(ServerTimeout, match="in this process, model 'sum': no answer before the deadline"):
        await ask(client, timeout=0.05)
    gate.open.set()
    await client.aclose()


async def test_what_no_model_takes_is_refused_before_it_computes(repository: Path, gate: Gate) -> None:
    client = LocalClient([repository])
    inputs: Any = None
    with pytest.raises(RequestError, match="the inputs are no dictionary of arrays but NoneType"):
        await client.infer("sum", inputs)
    with pytest.raises(RequestError, match="there is no output 'totl', did you mean 'total'"):
        await client.infer("sum", {"x": ROWS}, outputs=["totl"])
    assert not gate.entered.acquire(blocking=False)
    await client.aclose()


async def test_a_model_is_loaded_when_it_is_asked_about_and_not_while_a_request_waits(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = LocalClient([repository])
    await client.metadata("sum")
    monkeypatch.setattr(module, "Session", None)
    assert (await ask(client))["total"].tolist() == [[3], [3]]
    await client.aclose()
