"""One contestant at one work of benchmarks/client.py or servers.py, in a process of its own: prints a line of JSON.

A contestant starts with a NumPy array in hand and ends with one; every answer is compared with what was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import ClassVar, Final, Literal, Protocol

import numpy as np
import uvloop
from numpy.typing import NDArray
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient

from eventbraid.garbage import passed_over
from eventbraid.inference import TritonClient
from eventbraid.inference.pool.endpoint import Connect
from eventbraid.inference.servers.given import Server
from eventbraid.inference.transport.base import GrpcTransport
from eventbraid.inference.transport.http2 import Http2Transport
from eventbraid.kserve.wire import parse_answer, request_head, request_parts
from eventbraid.services.stalls import Stalls

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Work:
    """Requests to one model, so many at once."""

    model: str
    shape: tuple[int, ...]
    requests: int
    at_once: int
    burst: bool = False
    """All at once and once, instead of a new one for each that has come back."""
    bounded: bool = True
    """Ours finds out how many at once are enough; else all are sent, as by so many clients of their own."""
    memory: Literal["", "copied", "in place"] = ""
    """Ours through shared memory, from an array elsewhere or from one that is filled there."""


MB: Final = 1_000_000
LARGE: Final = Work("first", (10 * MB // 4,), 160, 8)
WORKS: Final = {
    "small": Work("same", (1, 4), 16_000, 64),
    "facile": Work("facile", (16_000, 15), 400, 8),
    "large": LARGE,
    "large both ways": replace(LARGE, model="all"),
    "large copied": replace(LARGE, memory="copied", requests=800),
    "large in place": replace(LARGE, memory="in place", requests=800),
    "burst": Work("first", LARGE.shape, 64, 64, burst=True),
    "patches": Work("emtrackmichelid", (1693, 48, 48, 1), 24, 2),
    "400 clients": Work("deepcalo", (5, 56, 11, 4), 24_000, 400, bounded=False),
}
NAMES: Final = {"facile": ("features", "energy")}
"""Of the input and the output, where they are not x and y."""
ROWS: Final = frozenset({"facile", "emtrackmichelid", "deepcalo"})
"""Models that answer with a row for each row; the others give back the first number."""


class Contestant(Protocol):
    """Asks a model."""

    def input(self, array: Array) -> Array:
        """The array in which a request goes, of that shape; what is in it is of no interest."""
        ...

    async def infer(self, array: Array) -> Array:
        """The model's answer."""
        ...

    async def aclose(self) -> None:
        """End it."""
        ...


class Ours:
    """eventbraid's client, with everything on that is on by default."""

    connect: ClassVar[Connect] = Http2Transport

    def __init__(self, address: str, work: Work) -> None:
        most = None if work.bounded else work.at_once
        server = Server(address, shared_memory=bool(work.memory), max_requests=most)
        self.client = TritonClient([server], connect=type(self).connect)
        self.model, self.in_place = work.model, work.memory == "in place"
        self.name, self.output = NAMES.get(work.model, ("x", "y"))

    def input(self, array: Array) -> Array:
        return self.client.empty(array.shape, array.dtype) if self.in_place else array

    async def infer(self, array: Array) -> Array:
        return (await self.client.infer(self.model, {self.name: array}))[self.output]

    async def aclose(self) -> None:
        await self.client.aclose()


class OursOverGrpc(Ours):
    """The same over grpc.aio."""

    connect = GrpcTransport


class Bare:
    """The bytes that our client sends, over its transport, and nothing around it."""

    def __init__(self, address: str, work: Work) -> None:
        self.transport = Http2Transport(Server(address))
        self.model = work.model
        self.name, self.output = NAMES.get(work.model, ("x", "y"))
        self.head = request_head(work.model, "", {self.name: np.empty(work.shape, np.float32)}, ())

    def input(self, array: Array) -> Array:
        return array

    async def infer(self, array: Array) -> Array:
        parts = request_parts(self.head, {self.name: array})
        return parse_answer(await self.transport.call("ModelInfer", parts, timeout=30.0))[self.output]

    async def aclose(self) -> None:
        await self.transport.aclose()


class TritonClientAio:
    """tritonclient.grpc.aio as its examples use it."""

    def __init__(self, address: str, work: Work) -> None:
        self.client = InferenceServerClient(address)
        self.model = work.model
        self.name, self.output = NAMES.get(work.model, ("x", "y"))

    def input(self, array: Array) -> Array:
        return array

    async def infer(self, array: Array) -> Array:
        tensor = InferInput(self.name, list(array.shape), "FP32")
        tensor.set_data_from_numpy(array)
        answer: Array = (await self.client.infer(self.model, [tensor])).as_numpy(self.output)
        return answer

    async def aclose(self) -> None:
        await self.client.close()


CONTESTANTS: Final[dict[str, Callable[[str, Work], Contestant]]] = {
    "ours": Ours,
    "ours over grpc.aio": OursOverGrpc,
    "bare": Bare,
    "tritonclient": TritonClientAio,
}


async def compete(contestant: Contestant, work: Work) -> dict[str, float]:
    """Requests a second, client CPU a request in ms and the longest stall in ms, after a warm-up.

    Behind it the loop is idle for as long: a stall that it has then too comes from what else this machine does.
    Python's collector passes over what the contestant has imported, as it does in a job.
    """
    arrays = [np.random.default_rng(1).random(work.shape, np.float32) for _ in range(1 if work.burst else work.at_once)]
    number = 0

    async def ask(array: Array) -> None:
        nonlocal number
        number += 1
        mine = contestant.input(array)
        asked = mine.flat[0] = float(number)
        check(work.model, mine, await contestant.infer(mine), asked)

    async def worker(array: Array, until: int) -> None:
        while number < until:
            await ask(array)

    await asyncio.gather(*(worker(array, work.requests // 8) for array in arrays))
    number = 0
    with passed_over(), Stalls(beat=0.001) as stalls:
        began, cpu = perf_counter(), process_time()
        if work.burst:
            await asyncio.gather(*(contestant.infer(arrays[0]) for _ in range(work.at_once)))
            number = work.at_once
        else:
            await asyncio.gather(*(worker(array, work.requests) for array in arrays))
        seconds, cpu = perf_counter() - began, process_time() - cpu
    await contestant.aclose()
    with Stalls(beat=0.001) as idle:
        await asyncio.sleep(min(seconds, 1.0))
    return {
        "per_second": number / seconds,
        "cpu_ms": 1e3 * cpu / number,
        "stall_ms": 1e3 * stalls.longest,
        "stall_cpu_ms": 1e3 * stalls.longest_cpu,
        "idle_stall_ms": 1e3 * idle.longest,
    }


def check(model: str, array: Array, answer: Array, asked: float) -> None:
    """End the process unless the answer is that to this request."""
    right = len(answer) == len(array) if model in ROWS else answer.flat[0] == asked
    if not right:
        raise SystemExit(f"{model}: the answer to {asked} begins with {answer.flat[0]}, its shape is {answer.shape}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("address")
    arguments = parser.parse_args()

    async def run() -> dict[str, float]:
        work = WORKS[arguments.work]
        return await compete(CONTESTANTS[arguments.contestant](arguments.address, work), work)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(run())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
