"""A thousand streams and a thousand modules, some of which raise, and a SIGINT in the middle: all ends in order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from eventbraid import Event, ExternalProducer, Filter, Input, Job, Output, Producer
from eventbraid.module import Module
from eventbraid.running import run
from eventbraid.sources import EmptySource

STREAMS = MODULES = 1_000
EVENTS = 1_200
BEFORE_SIGINT = 400_000
"""Calls of modules until the signal comes."""

Step = Callable[[], None]


class Weather:
    """Counts calls, raises now and then, and sends the signal once."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.calls = self.begun = self.ended = 0

    def strike(self) -> None:
        self.calls += 1
        if self.calls == BEFORE_SIGINT:
            os.kill(os.getpid(), signal.SIGINT)
        if self.random.random() < 1e-5:
            raise ValueError("struck")


class Shared:
    """What the three sorts have in common."""

    weather: Weather

    def begin_job(self) -> None:
        self.weather.begun += 1

    def end_job(self) -> None:
        self.weather.ended += 1


class Adds(Shared, Producer):
    first = Input[int]()
    second = Input[int]()
    total = Output[int]()

    async def produce(self, event: Event) -> None:
        self.weather.strike()
        event[self.total] = event[self.first] + event[self.second]


class AddsElsewhere(Shared, ExternalProducer[int, int]):
    first = Input[int]()
    total = Output[int]()

    async def acquire(self, event: Event) -> int:
        return event[self.first]

    async def external_work(self, acquired: int) -> int:
        self.weather.strike()
        await asyncio.sleep(0)
        return acquired + 1

    async def produce(self, event: Event, result: int) -> None:
        event[self.total] = result


class Passes(Shared, Filter):
    first = Input[int]()

    def filter(self, event: Event) -> bool:
        self.weather.strike()
        return True


class Number(Producer):
    value = Output[int]()

    def produce(self, event: Event) -> None:
        event[self.value] = event.number


def job_of(weather: Weather, seed: int) -> Job:
    """Modules that read modules before them, at random; every tenth is external, every hundredth serial."""
    random, modules, labels = Random(seed), dict[str, Module](), ["number"]
    modules["number"] = Number()
    for number in range(1, MODULES):
        base: Any = Passes if number % 50 == 0 else AddsElsewhere if number % 10 == 0 else Adds
        kind = "serial" if number % 100 == 1 else "shared" if number % 7 else "stream"
        made = type(f"{base.__name__}{number}", (base,), {"weather": weather, "kind": kind})
        reads = {name: random.choice(labels[-40:]) for name, _ in base.inputs()}
        modules[f"m{number}"] = made(**reads)
        if base is not Passes:
            labels.append(f"m{number}")
    order = [*modules]
    paths = {f"p{n}": order[n::5] for n in range(5)}
    return Job(
        "storm", source=EmptySource(events=EVENTS), modules=modules, paths=paths, streams=STREAMS, on_error="skip"
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(int(os.environ.get("STORMS", "3"))))
def test_a_storm_of_failures_and_a_signal_ends_in_order(seed: int) -> None:
    """The report adds up, every copy that began has ended, and nothing is left (which every test is held to)."""
    weather, said = Weather(seed), list[str]()
    report = run(job_of(weather, seed), timing=False, say=said.append)
    assert report.interrupted
    assert any(line.startswith("SIGINT") for line in said)
    assert report.events.read == report.events.passed + report.events.failed
    assert 0 < report.events.failed == len(report.failures)
    assert report.events.read < EVENTS
    assert weather.begun == weather.ended > 0
