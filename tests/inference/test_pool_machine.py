"""Requests, answers, failures, cancellations and servers that come and go, in any order: nothing is lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from scripted import Held, Scripted, client_of, rows

from eventbraid.errors import ServerBusy, ServerError, ServerTimeout, ServerUnavailable
from eventbraid.inference import TritonClient
from eventbraid.kserve import Tensors
from eventbraid.testing.virtual_time import VirtualTime

NAMES = ("one", "two", "three")
MOST_REQUESTS, MOST_BYTES = 2, 40
FAULTS = (
    ("UNAVAILABLE", "Socket closed"),
    ("UNAVAILABLE", "Exceeds maximum queue size"),
    ("RESOURCE_EXHAUSTED", "too many"),
    ("DEADLINE_EXCEEDED", "Deadline Exceeded"),
    ("INTERNAL", "the model failed"),
    ("INVALID_ARGUMENT", "unexpected shape"),
)
OPTIONS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"timeout": st.sampled_from([0.0, 0.01, 0.5, 20.0])},
    optional={
        "priority": st.integers(0, 2),
        "tries": st.integers(1, 3),
        "preferred_server": st.sampled_from(NAMES),
        "hedge_after": st.sampled_from([0.0, 0.1, 2.0]),
        "batch_size": st.integers(1, 4),
    },
)
SERVERS = st.integers(0, len(NAMES) - 1)


@dataclass
class Asked:
    value: float
    count: int
    until: float
    bounded: bool
    """It has but so many tries."""
    task: asyncio.Task[Tensors]


def nonsense(held: Held) -> None:
    held.say(b"\xff")


class Requests(RuleBasedStateMachine):
    """One client with some servers of one model."""

    def __init__(self) -> None:
        super().__init__()
        self.time = VirtualTime()
        self.time.__enter__()
        self.servers: list[Scripted] = []
        self.asked: list[Asked] = []
        self.client: TritonClient | None = None
        self.close_early, self.patient = False, True

    def run(self, work: Any) -> Any:
        return self.time.run(work)

    @initialize(count=st.integers(1, len(NAMES)), close_early=st.booleans(), patient=st.booleans())
    def start(self, count: int, close_early: bool, patient: bool) -> None:
        self.servers = [Scripted(name, max_requests=MOST_REQUESTS, max_bytes=MOST_BYTES) for name in NAMES[:count]]
        self.client = client_of(*self.servers, patient=patient)
        self.close_early, self.patient = close_early, patient
        self.run(self.client.metadata("m"))

    @property
    def pool(self) -> Any:
        assert self.client is not None
        return self.client._pool

    def server(self, number: int) -> Scripted:
        return self.servers[number % len(self.servers)]

    @rule(count=st.integers(0, 12), options=OPTIONS)
    def ask(self, count: int, options: Any) -> None:
        async def begin() -> None:
            assert self.client is not None
            value = float(len(self.asked) + 1)
            task = asyncio.create_task(self.client.infer("m", rows(count, value), **options))
            until = self.time.loop.now + options["timeout"]
            self.asked.append(Asked(value, count, until, "tries" in options, task))
            await asyncio.sleep(0)

        self.run(begin())

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.1, 1.0, 3.0]))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(number=SERVERS, place=st.integers(0, 5))
    def answer(self, number: int, place: int) -> None:
        self.of_held(number, place, Held.succeed)

    @rule(number=SERVERS, place=st.integers(0, 5), fault=st.sampled_from(FAULTS))
    def fail(self, number: int, place: int, fault: tuple[str, str]) -> None:
        self.of_held(number, place, lambda held: held.fail(*fault))

    @rule(number=SERVERS, place=st.integers(0, 5))
    def answer_nonsense(self, number: int, place: int) -> None:
        self.of_held(number, place, nonsense)

    def of_held(self, number: int, place: int, end: Any) -> None:
        held = self.server(number).held
        if held:
            end(held[place % len(held)])
        self.run(asyncio.sleep(0))

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), seconds=st.sampled_from([0.0, 0.001]))
    def cancel(self, data: st.DataObject, seconds: float) -> None:
        data.draw(st.sampled_from(self.asked)).task.cancel()
        self.run(asyncio.sleep(seconds))

    @rule(number=SERVERS)
    def die(self, number: int) -> None:
        self.server(number).die()
        self.run(asyncio.sleep(0))

    @rule(number=SERVERS)
    def freeze(self, number: int) -> None:
        self.server(number).silent = True

    @rule(number=SERVERS)
    def come_back(self, number: int) -> None:
        server = self.server(number)
        server.up, server.silent, server.models = True, False, {"m"}

    @rule(number=SERVERS)
    def lose_the_model(self, number: int) -> None:
        self.server(number).models.clear()

    @invariant()
    def bounds_hold(self) -> None:
        for server in self.servers:
            assert len(server.held) <= MOST_REQUESTS
        if self.client is not None:
            for endpoint in self.pool.endpoints:
                slots = endpoint.slots
                assert 0 <= slots.requests == endpoint.outstanding <= MOST_REQUESTS
                assert slots.bytes <= MOST_BYTES or slots.requests == 1
                assert (slots.bytes == 0) or slots.requests

    @invariant()
    def answers_are_those_of_their_requests(self) -> None:
        for each in self.asked:
            if each.task.done() and not each.task.cancelled():
                error = each.task.exception()
                if error is None:
                    assert each.task.result()["y"].tolist() == [[2 * each.value]] * each.count
                else:
                    assert isinstance(error, ServerError)

    def teardown(self) -> None:
        try:
            if self.client is not None:
                self.run(self.end(self.client))
        finally:
            self.time.__exit__()

    async def end(self, client: TritonClient) -> None:
        tasks = [each.task for each in self.asked]
        if not self.close_early:
            await self.end_well(client)
        await client.aclose()
        if tasks:
            await asyncio.wait(tasks)
        self.answers_are_those_of_their_requests()
        for endpoint in self.pool.endpoints:
            assert (endpoint.slots.requests, endpoint.slots.bytes, endpoint.outstanding) == (0, 0, 0)
        assert not any(serving.waiting for serving in self.pool.models.values())
        assert not any(server.held for server in self.servers)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def end_well(self, client: TritonClient) -> None:
        """All servers are there again and answer: so are all requests that have time and tries left, and new ones."""
        soon = self.time.loop.now + 3
        left = [each for each in self.asked if self.patient and not each.task.done()]
        hopeful = [each for each in left if each.until > soon and not each.bounded]
        for number, server in enumerate(self.servers):
            self.come_back(number)
            server.at_once = Held.succeed
            server.succeed()
        await asyncio.sleep(2.5)
        assert (await client.infer("m", rows(2, 7.0)))["y"].tolist() == [[14], [14]]
        for each in hopeful:
            assert each.task.done()
            if not each.task.cancelled():
                assert not isinstance(each.task.exception(), (ServerUnavailable, ServerBusy, ServerTimeout))
        await asyncio.sleep(max([0.0, *(each.until - self.time.loop.now + 0.01 for each in self.asked)]))
        assert all(each.task.done() for each in self.asked)


TestRequests = Requests.TestCase
TestRequests.settings = settings(stateful_step_count=40)
