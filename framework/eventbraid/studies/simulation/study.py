"""What is simulated: clients, the models that they ask, servers, the network between them, and what fails.

Times are in seconds, bandwidths in bits a second. Nothing is checked until a `Study` is made, which names every fault.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.serving.embedded.models.batching import Batching
from eventbraid.serving.emulation import DeviceSpec, parse_device

__all__ = ["ALONE", "Ask", "Choice", "Client", "Failure", "Model", "Module", "Network", "Server", "Study", "Work"]

ALONE: Final = Batching(0)
"""Every request is executed alone: no dynamic batching."""
Choice: TypeAlias = Literal["client", "random", "in turn"]
"""How a client chooses between servers: as it does, or for comparison at random, or one after the other."""


@dataclass(frozen=True, slots=True)
class Work:
    """A module that computes for so many seconds on the client's core."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Ask:
    """A module that asks a model: `requests` times an event, one after the other, each of `rows` rows.

    Before each request it computes for `before` seconds.
    """

    model: str
    rows: int
    requests: int = 1
    before: float = 0.0


Module: TypeAlias = Work | Ask


@dataclass(frozen=True, slots=True)
class Client:
    """A job on one core: the modules of an event, each of which needs the one before, and how many events there are.

    With one of `streams` it is blocking: it waits for its answers. With more, that many events are in flight, and the
    core works on the oldest that is ready.
    """

    modules: tuple[Module, ...]
    events: int
    streams: int = 1
    spread: float = 0.0
    """Of the CPU times from event to event: the standard deviation of their logarithm; their mean stays."""
    stagger: float = 0.0
    """Each client begins at a random time within so many seconds. 0: all at once."""
    timeout: float = 30.0
    """Of a request, all tries together."""
    tries: int = 0
    """How often a request is sent at most; 0: as often as the timeout allows."""
    preferred: str = ""
    """The server that is asked as long as it is ready and has room."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model on a server: how it batches, its instances on each GPU, and the bytes of a row."""

    batching: Batching = ALONE
    instances: int = 1
    most_waiting: int = 0
    """Requests that may wait for it, more are refused; 0: any number. It needs dynamic batching, as in Triton."""
    row_bytes: int = 0
    answer_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Network:
    """Between the clients and a server: the time there and back together, and the bandwidths of both ends.

    `client` is that of each client's own link, `server` that of the server's, in each direction; None: no limit.
    """

    latency: float = 0.0
    client: float | None = None
    server: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A server dies at a time, with all that it has, and is back later, if at all."""

    at: float
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class Server:
    """A server: its GPUs with their times, as a device or the text of one, its models, its network, its failures."""

    name: str
    device: DeviceSpec
    models: Mapping[str, Model]
    network: Network = field(default_factory=Network)
    failures: tuple[Failure, ...] = ()
    max_requests: int | None = None
    """That one client has on it at once; None: the client finds how many are enough."""

    @classmethod
    def of(cls, name: str, device: str, *models: str, network: Network | None = None) -> Server:
        """One of a device's text ("emulated:t4,gpus=4"), with models that batch nothing."""
        return cls(name, parse_device(device), {each: Model() for each in models}, network or Network())

    def up(self, now: float) -> bool:
        """True where it is not dead."""
        return not any(each.at <= now < each.until for each in self.failures)


@dataclass(frozen=True, slots=True)
class Study:
    """So many equal clients before these servers; raises `ConfigurationError` with every fault.

    The same study with the same seed gives the same result, bit for bit.
    """

    client: Client
    clients: int
    servers: tuple[Server, ...]
    seed: int = 1
    choice: Choice = "client"

    def __post_init__(self) -> None:
        if faults := [*_client_faults(self), *_server_faults(self)]:
            raise ConfigurationError(faults, "the study")


def _client_faults(study: Study) -> Iterator[Fault]:
    client = study.client
    yield from _whole("clients", study.clients, 1)
    yield from _whole("client.events", client.events, 1)
    yield from _whole("client.streams", client.streams, 1)
    yield from _whole("client.tries", client.tries, 0)
    for name, value in (("spread", client.spread), ("stagger", client.stagger)):
        yield from _number(f"client.{name}", value)
    yield from _number("client.timeout", client.timeout, above=True)
    if study.choice not in get_args(Choice):
        yield Fault("choice", f"there is no choice {study.choice!r}", nearest(study.choice, get_args(Choice)))
    names = [each.name for each in study.servers]
    if client.preferred and client.preferred not in names:
        yield Fault("client.preferred", f"there is no server {client.preferred!r}", nearest(client.preferred, names))
    if not client.modules:
        yield Fault("client.modules", "a client needs at least one module")
    served = {model for server in study.servers for model in server.models}
    for number, module in enumerate(client.modules):
        where = f"client.modules[{number}]"
        if isinstance(module, Work):
            yield from _number(f"{where}.seconds", module.seconds)
            continue
        yield from _whole(f"{where}.rows", module.rows, 1)
        yield from _whole(f"{where}.requests", module.requests, 1)
        yield from _number(f"{where}.before", module.before)
        if module.model not in served:
            yield Fault(where, f"no server has the model {module.model!r}", nearest(module.model, served))


def _server_faults(study: Study) -> Iterator[Fault]:
    names = [each.name for each in study.servers]
    yield from (
        Fault("servers", f"{name!r} is named twice") for name in sorted({n for n in names if names.count(n) > 1})
    )
    rows = {each.model: each.rows for each in study.client.modules if isinstance(each, Ask)}
    for server in study.servers:
        where = f"server {server.name!r}"
        if server.max_requests is not None:
            yield from _whole(f"{where}, max_requests", server.max_requests, 1)
        network = server.network
        yield from _number(f"{where}, network.latency", network.latency)
        for name, bandwidth in (("client", network.client), ("server", network.server)):
            if bandwidth is not None:
                yield from _number(f"{where}, network.{name}", bandwidth, above=True)
        for failure in server.failures:
            yield from _number(f"{where}, failure.at", failure.at)
            if not failure.until > failure.at:
                yield Fault(
                    f"{where}, failure", f"is over at {failure.until:g} s, before it begins at {failure.at:g} s"
                )
        for name, model in server.models.items():
            yield from _whole(f"{where}, {name}.instances", model.instances, 1)
            yield from _whole(f"{where}, {name}.most_waiting", model.most_waiting, 0)
            for what, size in (("row_bytes", model.row_bytes), ("answer_bytes", model.answer_bytes)):
                yield from _whole(f"{where}, {name}.{what}", size, 0)
            if model.most_waiting and not model.batching.most:
                what = "most_waiting bounds the queue of dynamic batching, and this model has none"
                yield Fault(f"{where}, {name}.most_waiting", what, "give it a Batching")
            if 0 < model.batching.most < rows.get(name, 0):
                what = f"a request has {rows[name]} rows, a batch at most {model.batching.most}"
                yield Fault(f"{where}, {name}.batching", what)


def _whole(where: str, value: object, least: int) -> Iterator[Fault]:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        yield Fault(where, f"must be a whole number of at least {least}, not {value!r}")


def _number(where: str, value: object, *, above: bool = False) -> Iterator[Fault]:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not (value > 0 if above else value >= 0):  # type: ignore[operator]
        yield Fault(where, f"must be a number {'above' if above else 'of at least'} 0, not {value!r}")
