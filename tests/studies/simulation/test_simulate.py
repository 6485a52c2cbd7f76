"""What is simulated obeys what must hold of any queue, and is the same whenever it is done."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventbraid.errors import ConfigurationError
from eventbraid.serving.emulation import DeviceSpec, ServiceTime, parse_device
from eventbraid.studies.simulation import (
    Ask,
    Batching,
    Client,
    Failure,
    Model,
    Network,
    Server,
    Study,
    Work,
    simulate,
    sweep,
)
from eventbraid.studies.simulation.simulate import run


def device(t0: float, per_row: float = 0.0, gpus: int = 1) -> DeviceSpec:
    return DeviceSpec(gpus=gpus, time=ServiceTime(t0, per_row))


def one(work: float, service: DeviceSpec, clients: int, **more: object) -> Study:
    """Clients that compute, ask one row of one server, and compute."""
    client = Client((Work(work), Ask("m", 1)), **({"events": 50} | more))  # type: ignore[arg-type]
    return Study(client, clients, (Server("one", service, {"m": Model()}),))


@st.composite
def studies(draw: st.DrawFn) -> Study:
    rows = draw(st.integers(1, 8))
    batching = draw(st.sampled_from([Batching(0), Batching(16), Batching(32, (8, 16)), Batching(16, delay=0.003)]))
    model = Model(
        batching,
        draw(st.integers(1, 3)),
        most_waiting=draw(st.sampled_from([0, 2])) if batching.most else 0,
        row_bytes=100,
        answer_bytes=draw(st.sampled_from([0, 10])),
    )
    network = Network(
        draw(st.sampled_from([0.0, 0.002, 0.05])),
        draw(st.sampled_from([None, 1e6])),
        draw(st.sampled_from([None, 1e6])),
    )
    failures = draw(st.sampled_from([(), (Failure(0.05, 0.2),), (Failure(0.0, 0.3), Failure(0.5, 0.6))]))
    servers = tuple(
        Server(f"s{n}", device(draw(st.sampled_from([0.001, 0.01])), 1e-4, 1 + n), {"m": model}, network, failures)
        for n in range(draw(st.integers(1, 3)))
    )
    client = Client(
        (Work(0.002), Ask("m", rows, draw(st.integers(1, 3)), before=draw(st.sampled_from([0.0, 0.001])))),
        draw(st.integers(1, 5)),
        streams=draw(st.integers(1, 4)),
        spread=draw(st.sampled_from([0.0, 0.5])),
        stagger=draw(st.sampled_from([0.0, 0.1])),
        timeout=draw(st.sampled_from([0.1, 30.0])),
        tries=draw(st.sampled_from([0, 2])),
    )
    return Study(
        client,
        draw(st.integers(1, 20)),
        servers,
        seed=draw(st.integers(0, 9)),
        choice=draw(st.sampled_from(["client", "random", "in turn"])),
    )


@settings(max_examples=40, deadline=None)
@given(studies())
def test_every_event_ends_well_or_is_lost_and_every_request_is_answered_once(study: Study) -> None:
    log, _ = run(study)
    client = study.client
    events = study.clients * client.events
    requests = client.modules[1].requests  # type: ignore[union-attr]
    assert len(log.events.ended) + log.lost == events
    asked = len(log.calls.ended)
    assert len(log.events.ended) * requests + log.lost <= asked <= events * requests
    executed = sum(sum(each.requests) for each in log.batches.values())
    if not log.failures:
        assert executed == asked == events * requests
    else:
        assert executed >= asked - log.lost


@settings(max_examples=25, deadline=None)
@given(studies())
def test_little_s_law_holds(study: Study) -> None:
    log, seconds = run(study)
    began, ended = np.array(log.calls.began), np.array(log.calls.ended)
    times = np.concatenate((began, ended))
    order = np.lexsort((np.repeat((0, 1), began.size), times))  # one that takes no time begins first
    present = np.cumsum(np.repeat((1, -1), began.size)[order])
    assert present.min() >= 0
    assert present[-1] == 0
    area = float((present[:-1] * np.diff(times[order])).sum())
    rate, mean_time = began.size / seconds, float((ended - began).mean())
    assert area / seconds == pytest.approx(rate * mean_time, rel=1e-9, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(studies())
def test_the_same_study_gives_the_same_result_bit_for_bit(study: Study) -> None:
    assert simulate(study) == simulate(study)


@settings(max_examples=20, deadline=None)
@given(studies())
def test_a_gpu_executes_one_batch_at_a_time(study: Study) -> None:
    result = simulate(study, settle=0)
    assert all(0 <= each.busy <= 1 + 1e-9 for each in result.servers.values())


@given(st.integers(1, 40), st.floats(0, 0.1), st.floats(0.001, 0.02))
@settings(max_examples=20, deadline=None)
def test_equal_clients_of_one_gpu_are_as_fast_as_the_slower_of_both_bounds(
    clients: int, work: float, service: float
) -> None:
    """A closed system without any spread: the cycle is the longer of a client's own and of the GPU's."""
    result = simulate(one(work, device(service), clients), settle=0.5)
    cycle = max(work + service, clients * service)
    assert result.events_per_second == pytest.approx(clients / cycle, rel=1e-6)
    assert result.event.mean == pytest.approx(cycle, rel=1e-6)


@pytest.mark.parametrize("events", [2, 3, 7])
def test_a_short_study_of_clients_in_step_has_their_rate(events: int) -> None:
    result = simulate(one(0.2, device(0.04, gpus=10), 10, events=events))
    assert result.events_per_second == pytest.approx(10 / 0.24)
    assert result.requests_per_second == pytest.approx(10 / 0.24)


def test_many_clients_with_little_to_do_make_the_queue_of_a_poisson_stream() -> None:
    """Pollaczek and Khinchin for M/D/1: the mean wait is rho s / (2 (1 - rho)). A thousand clients of different phases
    that ask seldom are nearly such a stream."""
    service, load, clients = 0.01, 0.7, 1000
    think = clients * service / load
    result = simulate(one(think, device(service), clients, events=40, spread=1.0, stagger=think))
    busy = result.servers["one"].busy
    assert busy == pytest.approx(load, rel=0.03)
    assert result.request.mean - service == pytest.approx(busy * service / (2 * (1 - busy)), rel=0.05)


def test_more_streams_hide_the_wait() -> None:
    study = one(0.01, device(0.001), 1)
    far = replace(study, servers=(replace(study.servers[0], network=Network(0.05)),))
    blocking = simulate(far)
    braided = simulate(replace(far, client=replace(far.client, streams=8)))
    assert blocking.events_per_second == pytest.approx(1 / 0.061, rel=0.05)
    assert braided.events_per_second == pytest.approx(1 / 0.01, rel=0.02)


def test_a_link_s_bandwidth_bounds_the_throughput() -> None:
    model = Model(row_bytes=1250)  # 10,000 bits
    server = Server("one", device(1e-6), {"m": model}, Network(server=1e6))
    result = simulate(Study(Client((Ask("m", 1),), 40), 8, (server,)))
    assert result.requests_per_second == pytest.approx(100, rel=0.02)


def test_joined_requests_pay_the_first_part_of_the_time_once() -> None:
    study = one(0.0, device(0.01, 0.001), 16)
    alone = simulate(study).events_per_second
    batched = replace(study.servers[0], models={"m": Model(Batching(8))})
    joined = simulate(replace(study, servers=(batched,))).events_per_second
    assert alone == pytest.approx(1 / 0.011, rel=0.01)
    assert joined == pytest.approx(8 / 0.018, rel=0.05)


def test_a_batch_waits_for_more_no_longer_than_it_may() -> None:
    study = one(0.0, device(0.001), 1)
    waits = replace(study.servers[0], models={"m": Model(Batching(8, delay=0.02))})
    assert simulate(replace(study, servers=(waits,))).request.mean == pytest.approx(0.021)


def two(*failures: Failure, timeout: float = 30.0, tries: int = 0) -> Study:
    servers = tuple(
        Server(name, device(0.005), {"m": Model()}, Network(0.001), each) for name, each in (("a", failures), ("b", ()))
    )
    client = Client((Work(0.01), Ask("m", 1)), 60, timeout=timeout, tries=tries, stagger=0.02)
    return Study(client, 4, servers)


def test_the_death_of_one_of_two_servers_loses_no_event() -> None:
    died, never = simulate(two(Failure(0.3))), simulate(two())
    assert died.events == never.events == 240
    assert died.lost == 0
    assert died.failures
    assert died.seconds > never.seconds
    assert died.servers["b"].rows_per_second > never.servers["b"].rows_per_second


def test_a_server_that_is_back_gets_requests_again() -> None:
    log, _ = run(two(Failure(0.2, 0.4)))
    ends = np.array(log.batches["a"].ended)
    assert ends[ends < 0.2].size
    assert not ends[(ends > 0.2) & (ends < 0.4)].size
    assert ends[ends > 0.4].size


def test_without_a_server_events_are_lost_when_their_time_is_over() -> None:
    study = two(Failure(0.2), timeout=0.5)
    result = simulate(replace(study, servers=study.servers[:1]))
    assert result.lost > 0
    assert result.events + result.lost == 240


def test_requests_that_a_full_queue_refuses_are_sent_again() -> None:
    study = one(0.0, device(0.01), 8)
    short = replace(study.servers[0], models={"m": Model(Batching(1), most_waiting=2)})
    result = simulate(replace(study, servers=(short,)))
    assert result.failures["busy"] > 0
    assert result.lost == 0


def test_a_client_that_may_try_once_loses_what_is_refused() -> None:
    study = one(0.0, device(0.01), 8, tries=1)
    short = replace(study.servers[0], models={"m": Model(Batching(1), most_waiting=2)})
    assert simulate(replace(study, servers=(short,))).lost > 0


def test_a_client_s_bound_on_requests_holds() -> None:
    study = one(0.0, device(0.01, gpus=4), 1, streams=8)
    bound = replace(study.servers[0], max_requests=1)
    assert simulate(study).events_per_second == pytest.approx(400, rel=0.1)
    assert simulate(replace(study, servers=(bound,))).events_per_second == pytest.approx(100, rel=0.1)


def test_the_client_s_choice_prefers_the_faster_of_two_servers() -> None:
    servers = tuple(Server(name, device(t0), {"m": Model()}) for name, t0 in (("fast", 0.002), ("slow", 0.02)))
    study = Study(Client((Ask("m", 1),), 200, streams=4), 4, servers)
    chosen, blind = simulate(study), simulate(replace(study, choice="random"))
    assert chosen.events_per_second > 1.3 * blind.events_per_second


def test_a_sweep_is_the_study_for_each_number_of_clients() -> None:
    study, told = one(0.01, device(0.001), 1), []
    results = sweep(study, (1, 3), say=told.append)
    assert [each.clients for each in results] == [1, 3]
    assert results[1] == simulate(replace(study, clients=3))
    assert tuple(told) == results


def test_every_fault_of_a_study_is_told_at_once() -> None:
    client = Client((Work(-1.0), Ask("facil", 0)), 0, timeout=float("nan"), preferred="on")
    server = Server(
        "one", parse_device("emulated:v100"), {"facile": Model(most_waiting=3)}, Network(-1.0), (Failure(2.0, 1.0),)
    )
    with pytest.raises(ConfigurationError) as caught:
        Study(client, 0, (server, server), choice="fastest")  # type: ignore[arg-type]
    told = str(caught.value)
    for each in (
        "clients: must be a whole number of at least 1, not 0",
        "client.timeout: must be a number above 0, not nan",
        "client.modules[0].seconds: must be a number of at least 0, not -1.0",
        "no server has the model 'facil' (did you mean 'facile'?)",
        "there is no server 'on' (did you mean 'one'?)",
        "'one' is named twice",
        "network.latency: must be",
        "before it begins at 2 s",
        "most_waiting bounds the queue of dynamic batching",
        "there is no choice 'fastest'",
    ):
        assert each in told


def test_a_request_larger_than_a_batch_is_a_fault() -> None:
    with pytest.raises(ConfigurationError, match="a request has 5 rows, a batch at most 4"):
        Study(Client((Ask("m", 5),), 1), 1, (Server("one", device(1.0), {"m": Model(Batching(4))}),))


def test_a_share_that_settles_is_below_all() -> None:
    with pytest.raises(ConfigurationError, match="settle must be a share"):
        simulate(one(0.0, device(0.01), 1), settle=1.0)
