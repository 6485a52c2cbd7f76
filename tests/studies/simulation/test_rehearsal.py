"""The simulation that calls the decisions alone is what the real scheduler, client and batcher do in virtual time."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from eventbraid.errors import ConfigurationError
from eventbraid.serving.emulation import DeviceSpec, ServiceTime
from eventbraid.studies.simulation import (
    Ask,
    Batching,
    Client,
    Failure,
    Model,
    Network,
    Result,
    Server,
    Study,
    Work,
    simulate,
)
from eventbraid.studies.simulation.published import deepcalo, facile, hlt, protodune
from eventbraid.studies.simulation.rehearsal import rehearse


def device(t0: float, gpus: int = 1) -> DeviceSpec:
    return DeviceSpec(gpus=gpus, time=ServiceTime(t0, 1e-4))


def same(one: Result, other: Result, rel: float = 1e-9) -> None:
    """Both are the same but for rounding."""
    for each in fields(Result):
        if each.name == "wall":
            continue
        mine, others = getattr(one, each.name), getattr(other, each.name)
        _compare(each.name, mine, others, rel)


def _compare(name: str, mine: object, others: object, rel: float) -> None:
    if isinstance(mine, (int, float)):
        assert mine == pytest.approx(others, rel=rel, abs=1e-9), name
    elif isinstance(mine, tuple):
        for number, (one, other) in enumerate(zip(mine, others, strict=True)):  # type: ignore[call-overload]
            _compare(f"{name}[{number}]", one, other, rel)
    elif isinstance(mine, dict):
        assert mine.keys() == others.keys(), name  # type: ignore[attr-defined]
        for key, value in mine.items():
            _compare(f"{name}[{key!r}]", value, others[key], rel)  # type: ignore[index]
    else:
        for each in fields(mine):  # type: ignore[arg-type]
            _compare(f"{name}.{each.name}", getattr(mine, each.name), getattr(others, each.name), rel)


@pytest.mark.parametrize(
    "study",
    [
        pytest.param(facile(1, 60, events=5), id="facile, saturated"),
        pytest.param(hlt(30, events=5), id="hlt"),
        pytest.param(protodune(1693, 8, events=2), id="protodune"),
        pytest.param(deepcalo(60, dynamic=True, events=20), id="deepcalo, dynamic batching"),
    ],
)
def test_the_published_setups_are_the_same_in_both(study: Study) -> None:
    same(simulate(study), rehearse(study))


def one(model: Model, clients: int = 4, network: Network | None = None, **more: object) -> Study:
    said = {"events": 8, "spread": 0.3, "stagger": 0.03} | more
    client = Client((Work(0.01), Ask("m", 2, before=0.002), Work(0.003)), **said)  # type: ignore[arg-type]
    return Study(client, clients, (Server("one", device(0.004), {"m": model}, network or Network(0.01)),))


@pytest.mark.parametrize(
    "study",
    [
        pytest.param(one(Model()), id="alone"),
        pytest.param(one(Model(Batching(8, (4,), 0.005), 2)), id="preferred sizes and a delay"),
        pytest.param(one(Model(row_bytes=500, answer_bytes=50), network=Network(0.01, 1e6, 3e6)), id="bandwidths"),
        pytest.param(one(Model(), 2, tries=1), id="one try"),
        pytest.param(one(Model(), 6, timeout=0.012), id="too short a timeout"),
    ],
)
def test_one_server_is_the_same_in_both(study: Study) -> None:
    same(simulate(study), rehearse(study))


def test_more_streams_are_as_fast_in_both() -> None:
    """The real scheduler sees an answer that came while modules computed one or two modules later than the lean one;
    the core is busy meanwhile, so the throughput is the same."""
    study = one(Model(Batching(8)), 3, streams=4, events=60)
    lean, real = simulate(study), rehearse(study)
    assert lean.events_per_second == pytest.approx(real.events_per_second, rel=0.02)
    assert lean.request.mean < real.request.mean < lean.request.mean + 2 * 0.01


def test_servers_are_chosen_alike_in_both() -> None:
    """Random draws differ, so the figures agree as means do."""
    servers = tuple(
        Server(name, device(t0), {"m": Model()}, Network(0.001)) for name, t0 in (("a", 0.004), ("b", 0.008))
    )
    study = Study(Client((Work(0.005), Ask("m", 1)), 150, spread=0.3), 5, servers)
    lean, real = simulate(study), rehearse(study)
    assert lean.events_per_second == pytest.approx(real.events_per_second, rel=0.03)
    assert lean.servers["a"].rows_per_second == pytest.approx(real.servers["a"].rows_per_second, rel=0.08)


def test_a_server_that_dies_and_comes_back_loses_no_event_in_either() -> None:
    servers = (
        Server("a", device(0.004), {"m": Model()}, Network(0.002), (Failure(0.3, 0.9),)),
        Server("b", device(0.004), {"m": Model()}, Network(0.002)),
    )
    study = Study(Client((Work(0.01), Ask("m", 1)), 100, spread=0.3), 6, servers)
    lean, real = simulate(study), rehearse(study)
    assert (lean.events, lean.lost) == (real.events, real.lost) == (600, 0)
    assert lean.seconds == pytest.approx(real.seconds, rel=0.05)
    assert lean.failures
    assert real.failures


def test_a_full_queue_refuses_in_both() -> None:
    study = one(Model(Batching(2), most_waiting=1), 8, stagger=0.0)
    lean, real = simulate(study), rehearse(study)
    assert lean.lost == real.lost == 0
    assert lean.failures["busy"] == pytest.approx(real.failures["busy"], rel=0.3)
    assert lean.seconds == pytest.approx(real.seconds, rel=0.15)


def test_the_real_code_does_the_same_again() -> None:
    study = replace(one(Model(Batching(8), 2), 3, streams=3), seed=7)
    assert rehearse(study) == rehearse(study)


def test_the_real_client_has_its_own_choice_only() -> None:
    with pytest.raises(ConfigurationError, match="no choice 'random'"):
        rehearse(replace(one(Model()), choice="random"))
