"""Clients of many kinds that ask one server at the same time, for as long as they are let; and some that misbehave."""

from __future__ import annotations

import asyncio
import queue
import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import grpc
import numpy as np
import tritonclient.grpc
import tritonclient.grpc.aio
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from eventbraid.errors import ServerError
from eventbraid.inference import TritonClient
from eventbraid.inference.servers.given import Server
from eventbraid.inference.transport.base import GrpcTransport
from eventbraid.testing import FaultyNetwork

DEADLINE = 60.0
"""Seconds after which a request counts as unanswered."""
LARGE = (500, 50)
Array = NDArray[np.float32]


class Crowd:
    """What all clients share: the server's address, when to end, and what came of the requests."""

    def __init__(self, address: str, seed: int = 1) -> None:
        self.address = address
        self.over = False
        self.seed = seed
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """Requests by client and by what came of them: "answered", "wrong", "refused", "given up", "unanswered"."""

    def note(self, client: str, outcome: str) -> None:
        """A request has ended."""
        self.outcomes[client, outcome] += 1

    def counted(self, outcome: str) -> int:
        """Requests of all clients that ended so."""
        return sum(count for (_, what), count in self.outcomes.items() if what == outcome)


def numbers(draw: random.Random, large: bool) -> Array:
    """Whole numbers, whose sums and doubles are exact."""
    shape = LARGE if large else (draw.randrange(1, 9), 3)
    return np.random.default_rng(draw.randrange(1 << 30)).integers(-9, 9, shape).astype(np.float32)


def asked(draw: random.Random) -> tuple[str, Array, str, Array]:
    """A model, its input, and the output with what it must be."""
    large = draw.random() < 0.2
    x = numbers(draw, large)
    return ("double", x, "y", 2 * x) if large else ("sum", x, "total", x.sum(1, keepdims=True))


def judge(crowd: Crowd, client: str, given: Array | None, expected: Array) -> None:
    """Note whether an answer is right."""
    crowd.note(client, "answered" if given is not None and np.array_equal(given, expected) else "wrong")


async def own(crowd: Crowd, name: str, server: Server, connect: Any = None) -> None:
    """Our client; some requests are given up in the middle."""
    draw = random.Random(f"{name} {crowd.seed}")
    client = TritonClient([server], **({"connect": connect} if connect is not None else {}))

    async def one() -> None:
        model, x, output, expected = asked(draw)
        asking = asyncio.create_task(client.infer(model, {"x": x}, timeout=DEADLINE))
        if draw.random() < 0.05:
            await asyncio.sleep(draw.random() * 0.01)
            asking.cancel()
        try:
            judge(crowd, name, (await asking)[output], expected)
        except asyncio.CancelledError:
            crowd.note(name, "given up")
        except ServerError as error:
            crowd.note(name, "unanswered" if "deadline" in str(error) else "refused")

    try:
        while not crowd.over:
            await asyncio.gather(*(one() for _ in range(draw.randrange(1, 8))))
    finally:
        await client.aclose()


def given(model: str, x: Array) -> list[InferInput]:
    """The inputs as tritonclient wants them."""
    made = InferInput("x", x.shape, "FP32")
    made.set_data_from_numpy(x)
    return [made]


def blocking(crowd: Crowd, name: str) -> None:
    """tritonclient's blocking client, in a thread of its own; now and then a stream."""
    draw = random.Random(f"{name} {crowd.seed}")
    with tritonclient.grpc.InferenceServerClient(crowd.address) as client:
        while not crowd.over:
            model, x, output, expected = asked(draw)
            try:
                if draw.random() < 0.2:
                    stream(crowd, name, client, draw)
                else:
                    answer = client.infer(model, given(model, x), client_timeout=DEADLINE)
                    judge(crowd, name, answer.as_numpy(output), expected)
            except InferenceServerException as error:
                crowd.note(name, "unanswered" if "Deadline" in str(error) else "refused")


def stream(crowd: Crowd, name: str, client: Any, draw: random.Random) -> None:
    """Some requests over a stream, whose answers come in their order."""
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    requests = [asked(draw) for _ in range(4)]
    for model, x, _, _ in requests:
        client.async_stream_infer(model, given(model, x))
    try:
        for _, _, output, expected in requests:
            result, error = answers.get(timeout=DEADLINE)
            judge(crowd, name, None if error is not None else result.as_numpy(output), expected)
    except queue.Empty:
        crowd.note(name, "unanswered")
    finally:
        client.stop_stream()


async def bad(crowd: Crowd, name: str) -> None:
    """Requests that make no sense, each of which is refused."""
    draw = random.Random(f"{name} {crowd.seed}")
    async with grpc.aio.insecure_channel(crowd.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        while not crowd.over:
            request = service_pb2.ModelInferRequest(model_name=draw.choice(["sum", "nobody", ""]))
            shape = [draw.randrange(-2, 70), draw.randrange(5)]
            request.inputs.add(name=draw.choice("xy"), datatype=draw.choice(["FP32", "INT8", "?"]), shape=shape)
            request.raw_input_contents.append(draw.randbytes(draw.randrange(99)))
            try:
                await stub.ModelInfer(request, timeout=DEADLINE)
                crowd.note(name, "answered")
            except grpc.aio.AioRpcError as error:
                late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
                crowd.note(name, "unanswered" if late else "refused")
            await asyncio.sleep(0.02)


async def cut(crowd: Crowd, name: str) -> None:
    """A client behind a network that loses its connections again and again."""
    draw = random.Random(f"{name} {crowd.seed}")
    async with FaultyNetwork(crowd.address) as network:
        client = asyncio.create_task(own(crowd, name, Server(network.address)))
        while not crowd.over:
            await asyncio.sleep(draw.random())
            await network.cut()
        await client


async def strangers(crowd: Crowd, name: str) -> None:
    """Connections that say something else, or nothing, and go."""
    draw = random.Random(f"{name} {crowd.seed}")
    host, _, port = crowd.address.rpartition(":")
    while not crowd.over:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(draw.choice([b"", b"GET / HTTP/1.1\r\n\r\n", draw.randbytes(200)]))
            await asyncio.sleep(draw.random() * 0.05)
            writer.transport.abort()
            del reader
        crowd.note(name, "given up")


async def reloading(crowd: Crowd, name: str) -> None:
    """Loads a model again and again, while others ask it."""
    async with tritonclient.grpc.aio.InferenceServerClient(crowd.address) as client:
        while not crowd.over:
            await client.load_model("sum", client_timeout=DEADLINE)
            await client.get_inference_statistics(client_timeout=DEADLINE)
            crowd.note(name, "answered")
            await asyncio.sleep(0.5)


async def let_in(crowd: Crowd) -> None:
    """All of them, until it is over; raises what one of them raises that is no answer."""
    threads = [threading.Thread(target=blocking, args=(crowd, f"tritonclient {n}")) for n in range(2)]
    for each in threads:
        each.start()
    kinds: list[Callable[[], Awaitable[None]]] = [
        lambda: own(crowd, "HTTP/2", Server(crowd.address, shared_memory=False)),
        lambda: own(crowd, "shared memory", Server(crowd.address)),
        lambda: own(crowd, "grpc.aio", Server(crowd.address, shared_memory=False), GrpcTransport),
        lambda: bad(crowd, "bad requests"),
        lambda: cut(crowd, "cut connections"),
        lambda: strangers(crowd, "strangers"),
        lambda: reloading(crowd, "loading"),
    ]
    try:
        await asyncio.gather(*(each() for each in kinds))
    finally:
        crowd.over = True
        await asyncio.to_thread(lambda: [each.join() for each in threads])
