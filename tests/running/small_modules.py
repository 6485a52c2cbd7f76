"""Small modules, and a source of numbers for them."""

from __future__ import annotations

from typing import Any

import pytest

from eventbraid import Analyzer, Event, Filter, Input, Output, Parameter, Producer
from eventbraid.testing import ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking"])


class Copy(Producer):
    x = Input[int]("x")
    value = Output[int]()

    async def produce(self, event: Event) -> None:
        event[self.value] = event[self.x]


class Above(Filter):
    x = Input[int]("x")
    cut = Parameter(0, doc="passes above")

    async def filter(self, event: Event) -> bool:
        return event[self.x] > self.cut


class Fails(Producer):
    x = Input[int]("x")
    value = Output[int]()
    at = Parameter(2, doc="fails where x is this")

    async def produce(self, event: Event) -> None:
        if event[self.x] == self.at:
            raise ValueError("a bad hit")
        event[self.value] = event[self.x]


class Count(Analyzer):
    kind = "shared"
    x = Input[int]("x")

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: list[int] = []

    def analyze(self, event: Event) -> None:
        self.seen.append(event[self.x])


def numbers(count: int) -> ListSource:
    return ListSource([{"x": n} for n in range(count)], products=["x"])
