"""What the simulation does for a request, counted: the machine's speed does not matter."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest

from eventbraid.studies.simulation import Study
from eventbraid.studies.simulation.engine import Engine
from eventbraid.studies.simulation.published import deepcalo, facile, protodune
from eventbraid.studies.simulation.simulate import run


@dataclass
class Cost:
    """For each request: acts of the engine, and calls of functions, of Python's and of C's."""

    acts: float
    calls: float
    c_calls: float


def cost(study: Study) -> Cost:
    acts, calls = 0, {"call": 0, "c_call": 0}
    at = Engine.at.__code__

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal acts
        if event in calls:
            calls[event] += 1
            acts += event == "call" and frame.f_code is at

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        log, _ = run(study)
    finally:
        sys.setprofile(before)
    requests = len(log.calls.ended)
    return Cost(acts / requests, calls["call"] / requests, calls["c_call"] / requests)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "acts"),
    [
        pytest.param(protodune(235, 40, events=1), 5, id="many small requests"),
        pytest.param(facile(4, 200, events=20), 6, id="one request an event"),
        pytest.param(deepcalo(200, dynamic=True, events=20), 6, id="dynamic batching"),
    ],
)
def test_a_request_costs_no_more_than_it_must(study: Study, acts: int) -> None:
    """Computing, the way there, the GPU, the way back and the client's link are an act each; what is counted beside
    them belongs to events and batches."""
    found = cost(study)
    assert found.acts < acts + 0.8
    assert found.calls < 85
    assert found.c_calls < 85


@pytest.mark.slow
def test_a_request_costs_as_much_among_many_clients_as_among_few() -> None:
    few, many = cost(protodune(235, 10, events=1)), cost(protodune(235, 100, events=1))
    assert many.calls == pytest.approx(few.calls, rel=0.1)
    assert many.acts == pytest.approx(few.acts, rel=0.02)
