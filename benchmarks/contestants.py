"""One contestant of benchmarks/client.py at one work, in a process of its own: prints what it cost as a line of JSON.

A contestant starts with a NumPy array in hand and ends with one; every answer is compared with what was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
import uvloop
from numpy.typing import NDArray

from eventbraid.inference import TritonClient
from eventbraid.inference.endpoint import Connect
from eventbraid.inference.http2 import Http2Transport
from eventbraid.inference.servers import Server
from eventbraid.inference.transport import GrpcTransport
from eventbraid.kserve.wire import parse_answer, request_head, request_parts
from eventbraid.services.stalls import Stalls

Array = NDArray[np.float32]
Infer = Callable[[Array], Awaitable[Array]]
Contestant = tuple[Infer, Callable[[], Awaitable[None]]]
"""Asks the model, and closes."""


@dataclass(frozen=True)
class Work:
    """Requests to one model, so many at once."""

    model: str
    shape: tuple[int, ...]
    requests: int
    at_once: int
    burst: bool = False
    """All at once and once, instead of a new one for each that has come back."""

    def make(self) -> Array:
        """An input; each request gets a number of its own in its first place."""
        return np.random.default_rng(1).random(self.shape, np.float32)


MB: Final = 1_000_000
WORKS: Final = {
    "small": Work("same", (1, 4), 16_000, 64),
    "facile": Work("facile", (16_000, 15), 400, 8),
    "large": Work("first", (10 * MB // 4,), 160, 8),
    "large both ways": Work("all", (10 * MB // 4,), 120, 8),
    "burst": Work("first", (10 * MB // 4,), 64, 64, burst=True),
}
INPUT, OUTPUT = "x", "y"
NAMES: Final = {"facile": ("features", "energy")}
"""Of the input and the output, where they are not x and y."""


async def ours(address: str, model: str, connect: Connect = Http2Transport) -> Contestant:
    """eventbraid's client, with everything on that is on by default."""
    client = TritonClient([address], connect=connect)
    into, out = NAMES.get(model, (INPUT, OUTPUT))

    async def infer(array: Array) -> Array:
        return (await client.infer(model, {into: array}))[out]

    return infer, client.aclose


async def ours_grpc(address: str, model: str) -> Contestant:
    """The same over grpc.aio."""
    return await ours(address, model, GrpcTransport)


async def tritonclient(address: str, model: str) -> Contestant:
    """tritonclient.grpc.aio as its examples use it."""
    from tritonclient.grpc import InferInput
    from tritonclient.grpc.aio import InferenceServerClient

    client = InferenceServerClient(address)
    into, out = NAMES.get(model, (INPUT, OUTPUT))

    async def infer(array: Array) -> Array:
        tensor = InferInput(into, list(array.shape), "FP32")
        tensor.set_data_from_numpy(array)
        answer = await client.infer(model, [tensor])
        found: Array = answer.as_numpy(out)
        return found

    return infer, client.close


async def bare(address: str, model: str) -> Contestant:
    """The bytes that eventbraid's client sends, over its transport, and nothing around it."""
    transport = Http2Transport(Server(address))
    into, out = NAMES.get(model, (INPUT, OUTPUT))
    heads: dict[tuple[int, ...], bytes] = {}

    async def infer(array: Array) -> Array:
        tensors = {into: array}
        head = heads.get(array.shape) or heads.setdefault(array.shape, request_head(model, "", tensors, ()))
        answer = await transport.call("ModelInfer", request_parts(head, tensors), timeout=30.0)
        return parse_answer(answer)[out]

    return infer, transport.aclose


CONTESTANTS: Final[dict[str, Callable[[str, str], Awaitable[Contestant]]]] = {
    "ours": ours,
    "ours over grpc.aio": ours_grpc,
    "tritonclient": tritonclient,
    "bare": bare,
}


async def compete(contestant: str, work: Work, address: str) -> dict[str, float]:
    """Requests a second, client CPU a request in ms and the longest stall in ms, after a warm-up."""
    infer, close = await CONTESTANTS[contestant](address, work.model)
    arrays = [work.make() for _ in range(1 if work.burst else work.at_once)]
    number = 0

    async def ask(array: Array) -> None:
        nonlocal number
        number += 1
        asked = array.flat[0] = float(number)
        check(work.model, array, await infer(array), asked)

    async def worker(array: Array, until: int) -> None:
        while number < until:
            await ask(array)

    await asyncio.gather(*(worker(array, work.requests // 8) for array in arrays))
    number = 0
    with Stalls(beat=0.001) as stalls:
        began, cpu = perf_counter(), process_time()
        if work.burst:
            await asyncio.gather(*(infer(arrays[0]) for _ in range(work.at_once)))
            number = work.at_once
        else:
            await asyncio.gather(*(worker(array, work.requests) for array in arrays))
        seconds, cpu = perf_counter() - began, process_time() - cpu
    await close()
    return {
        "per_second": number / seconds,
        "cpu_ms": 1e3 * cpu / number,
        "stall_ms": 1e3 * stalls.longest,
        "stall_cpu_ms": 1e3 * stalls.longest_cpu,
    }


def check(model: str, array: Array, answer: Array, asked: float) -> None:
    """End the process unless the answer is that to this request."""
    right = answer.shape == (len(array), 1) if model == "facile" else answer.flat[0] == asked
    if not right:
        raise SystemExit(f"{model}: the answer to {asked} begins with {answer.flat[0]}, its shape is {answer.shape}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("address")
    arguments = parser.parse_args()
    work: Any = WORKS[arguments.work]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(compete(arguments.contestant, work, arguments.address))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
