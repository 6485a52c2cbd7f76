"""The modules of a simulated client, for the real scheduler: they let virtual time pass, and ask the real client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from eventbraid.event import Event, EventID, Input, Output
from eventbraid.external_work import ExternalProducer
from eventbraid.inference.triton import TritonClient
from eventbraid.job import Job
from eventbraid.module import Module, Producer
from eventbraid.services import Listener
from eventbraid.sources.base import Entry, Source
from eventbraid.studies.simulation.log import Log, Spans
from eventbraid.studies.simulation.study import Ask, Client, Work
from eventbraid.testing.world import compute

__all__ = ["Events", "job_of"]

Passed = tuple[float, float]
"""The event's factor, and when the module before had ended."""


class _Events(Source):
    """The events of a client, each with a factor of its CPU times."""

    blocking = False
    passed = Output[Passed]()
    number: ClassVar[int]
    factors: ClassVar[Iterator[float]]

    def count(self) -> int:
        return self.number

    def partitions(self) -> Iterator[Iterable[Entry]]:
        yield (Entry(EventID(1, 1, each), {"passed": self._passed()}) for each in range(1, self.number + 1))

    def _passed(self) -> Passed:
        return next(self.factors), asyncio.get_running_loop().time()


class _Computes(Producer):
    before = Input[Passed]("passed")
    passed = Output[Passed]()
    work: ClassVar[Work]
    spans: ClassVar[Spans]

    def produce(self, event: Event) -> None:
        factor, began = event[self.before]
        compute(factor * self.work.seconds)
        event[self.passed] = factor, _note(self.spans, began)


class _Asks(ExternalProducer[Passed, Passed]):
    before = Input[Passed]("passed")
    passed = Output[Passed]()
    ask: ClassVar[Ask]
    spans: ClassVar[Spans]
    calls: ClassVar[Spans]
    client: ClassVar[TritonClient]
    timeout: ClassVar[float]
    tries: ClassVar[int]
    preferred: ClassVar[str]
    row_bytes: ClassVar[int]

    def acquire(self, event: Event) -> Passed:
        factor, began = event[self.before]
        compute(factor * self.ask.before)
        return factor, began

    async def external_work(self, acquired: Passed) -> Passed:
        factor, began = acquired
        loop = asyncio.get_running_loop()
        inputs = {"x": np.zeros((self.ask.rows, self.row_bytes), np.uint8)}
        for number in range(self.ask.requests):
            if number:
                compute(factor * self.ask.before)
            asked = loop.time()
            try:
                await self.client.infer(
                    self.ask.model, inputs, timeout=self.timeout, tries=self.tries, preferred_server=self.preferred
                )
            finally:
                self.calls.add(asked, loop.time())
        return factor, began

    def produce(self, event: Event, result: Passed) -> None:
        factor, began = result
        event[self.passed] = factor, _note(self.spans, began)


class Events(Listener):
    """Notes when events begin and end, and when a client has no more to begin."""

    def __init__(self, log: Log, events: int) -> None:
        self._log, self._events, self._number = log, events, log.new_client()
        self._began: dict[int, float] = {}

    def event_begins(self, event: EventID, number: int, time: float) -> None:
        self._began[number] = time

    def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
        if failed:
            self._log.lost += 1
        else:
            self._log.events.add(self._began[number], time)
            self._log.clients.append(self._number)
        if len(self._began) == self._events:
            self._log.first_ends = min(self._log.first_ends, time)


def job_of(
    client: Client, inference: TritonClient, factors: Iterator[float], log: Log, row_bytes: dict[str, int]
) -> Job:
    """The client as a job: its modules in a row, of which the last is on the path."""
    modules: dict[str, Module] = {}
    before = "passed"
    for number, each in enumerate(client.modules):
        spans = log.modules.setdefault(number, Spans())
        if isinstance(each, Work):
            kind: type[Module] = type(f"Computes{number}", (_Computes,), {"work": each, "spans": spans})
        else:
            said = {
                "ask": each,
                "spans": spans,
                "calls": log.calls,
                "client": inference,
                "timeout": client.timeout,
                "tries": client.tries,
                "preferred": client.preferred,
                "row_bytes": row_bytes[each.model],
            }
            kind = type(f"Asks{number}", (_Asks,), said)
        label = f"module{number}"
        modules[label] = kind(before=before)
        before = label
    source = type("ClientEvents", (_Events,), {"number": client.events, "factors": factors})()
    return Job(
        "simulated client",
        source=source,
        modules=modules,
        paths={"all": [before]},
        streams=client.streams,
        on_error="skip",
    )


def _note(spans: Spans, began: float) -> float:
    now = asyncio.get_running_loop().time()
    spans.add(began, now)
    return now
