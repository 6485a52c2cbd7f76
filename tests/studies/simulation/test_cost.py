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
    """For each request: acts of the engine, and calls of functions, of Python's and of C's together."""

    acts: float
    calls: float


def cost(study: Study) -> Cost:
    acts = calls = 0
    at = Engine.at.__code__

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal acts, calls
        acts += event == "call" and frame.f_code is at
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        log, _ = run(study)
    finally:
        sys.setprofile(before)
    requests = len(log.calls.ended)
    return Cost(acts / requests, calls / requests)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("study", "acts", "calls"),
    [
        pytest.param(protodune(235, 40, events=1), 5.2, 110, id="many small requests"),
        pytest.param(facile(4, 200, events=20), 6.3, 150, id="one request an event"),
        pytest.param(deepcalo(200, dynamic=True, events=20), 5.7, 130, id="dynamic batching"),
    ],
)
def test_a_request_costs_no_more_than_it_must(study: Study, acts: float, calls: float) -> None:
    """Computing, the way there, the GPU, the way back and the client's link are an act each; the rest are the other
    modules of its event, less what the requests of a batch share. The calls are bounded by some 7 % more than they
    were with Python 3.11."""
    found = cost(study)
    assert found.acts < acts
    assert found.calls < calls


@pytest.mark.slow
def test_a_request_costs_as_much_among_many_clients_as_among_few() -> None:
    few, many = cost(protodune(235, 10, events=1)), cost(protodune(235, 100, events=1))
    assert many.calls == pytest.approx(few.calls, rel=0.1)
    assert many.acts == pytest.approx(few.acts, rel=0.02)
