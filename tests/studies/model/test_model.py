"""What holds for any job and any farm."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eventbraid import ConfigurationError
from eventbraid.studies.model import (
    Estimate,
    Farm,
    Prices,
    Workload,
    accelerated_fraction,
    ideal_seconds,
    replacement_ratio,
    saturated_seconds,
    saturation_ratio,
    sonic_seconds,
    transmit_seconds,
    travel_seconds,
)

times = st.floats(0, 1e4)
above = st.floats(1e-6, 1e4)
counts = st.integers(1, 10_000)
workloads = st.builds(
    Workload, other=times, gpu=above, packing=times, transmit=times, travel=times, module=above, bits=st.floats(0, 1e10)
)
farms = st.builds(
    Farm, gpus=st.integers(1, 64), streams=st.integers(1, 64), efficiency=st.floats(0.5, 1), bandwidth=st.none() | st.floats(1e6, 1e12)
)  # fmt: skip
blocking = st.builds(Farm, gpus=st.integers(1, 64))


@given(times, above, st.floats(0, 1e5), counts)
def test_equation_4_is_the_longer_of_ideal_and_saturated(ideal: float, gpu: float, clients: float, gpus: int) -> None:
    written = ideal + gpu * max(0.0, clients / gpus - ideal / gpu)
    assert sonic_seconds(ideal, gpu, clients, gpus) == pytest.approx(written, rel=1e-9)
    if clients / gpus > saturation_ratio(ideal, gpu) * (1 + 1e-9):
        assert sonic_seconds(ideal, gpu, clients, gpus) == saturated_seconds(gpu, clients, gpus)


@given(workloads, blocking, counts)
def test_clients_that_block_have_the_papers_times(workload: Workload, farm: Farm, clients: int) -> None:
    fraction = accelerated_fraction(workload.cpu_only, workload.cpu_only - workload.other, workload.packing)
    stays = (1 - fraction) * workload.cpu_only
    ideal = ideal_seconds(max(stays, 0.0), workload.gpu, workload.transmit + workload.travel)
    expected = sonic_seconds(ideal, workload.gpu, clients, farm.gpus)
    assert farm.event_seconds(workload, clients) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert farm.saturation(workload) / farm.gpus == pytest.approx(
        saturation_ratio(ideal, workload.gpu), rel=1e-6, abs=1e-3
    )


@given(workloads, farms, counts, counts)
def test_more_clients_make_none_faster_and_all_of_them_no_slower(
    workload: Workload, farm: Farm, few: int, more: int
) -> None:
    numbers = sorted([few, more])
    assert np.all(np.diff(farm.event_seconds(workload, numbers)) >= 0)
    assert np.all(np.diff(farm.events_per_second(workload, numbers)) >= -1e-9 * few)


@given(workloads, farms, counts)
def test_more_gpus_and_more_events_in_flight_are_never_worse(workload: Workload, farm: Farm, clients: int) -> None:
    assume(farm.gpus > 1 or farm.efficiency == 1)  # a second one may cost the first one some of its efficiency
    seconds = farm.event_seconds(workload, clients)
    assert replace(farm, gpus=farm.gpus + 1).event_seconds(workload, clients) <= seconds
    assert replace(farm, streams=farm.streams + 1).event_seconds(workload, clients) <= seconds


@given(workloads, farms)
def test_nothing_jumps_at_saturation(workload: Workload, farm: Farm) -> None:
    point = farm.saturation(workload)
    before, at, after = farm.event_seconds(workload, [point * (1 - 1e-9), point, point * (1 + 1e-9)])
    assert before == pytest.approx(at, rel=1e-8)
    assert at == pytest.approx(after, rel=1e-8)
    assert at == pytest.approx(farm.alone(workload), rel=1e-8)
    assert farm.event_seconds(workload, 2 * point) == pytest.approx(2 * at, rel=1e-8)


@given(workloads, st.integers(1, 64))
def test_an_infinitely_fast_gpu_leaves_what_stays_with_the_client(workload: Workload, streams: int) -> None:
    fast, farm = replace(workload, gpu=1e-12, transmit=0, travel=0), Farm(streams=streams)
    assume(fast.client_cpu > 1e-3)
    assert farm.event_seconds(fast, 1) == pytest.approx(fast.client_cpu, rel=1e-6)
    speed_up = Estimate("t", fast, farm, clients=1, events=1).speed_up
    assert speed_up == pytest.approx(fast.speed_up_limit, rel=1e-6)
    assert fast.speed_up_limit == pytest.approx(1 / (1 - fast.fraction), rel=1e-3)


@given(workloads)
def test_enough_events_in_flight_hide_all_waiting(workload: Workload) -> None:
    many = Farm(streams=10**9)
    least = max(workload.client_cpu, workload.transmit)
    assert many.alone(workload) == pytest.approx(least, rel=1e-6, abs=1e-4)


@given(workloads)
def test_the_break_even_price_of_a_full_gpu_is_the_replacement_ratio(workload: Workload) -> None:
    calm = replace(workload, transmit=0, travel=0, bits=0, gpu=min(workload.gpu, 1.0), other=workload.other + 10)
    farm = Farm(gpus=1000, streams=10**6)
    clients = round(farm.saturation(calm))
    assume(clients > 1000)
    price = Estimate("t", calm, farm, clients=clients, events=7).break_even
    scale = calm.cpu_only / calm.gpu
    assert price == pytest.approx(calm.replacement, rel=2e-3, abs=2e-3 * scale)


@given(workloads, farms, counts, st.integers(1, 10**6), above, st.floats(1.01, 100))
def test_at_the_break_even_price_both_ways_cost_the_same(
    workload: Workload, farm: Farm, clients: int, events: int, cpu_hour: float, slower: float
) -> None:
    alone = slower * float(farm.event_seconds(workload, clients))
    estimate = Estimate("t", replace(workload, module=alone), farm, clients, events)
    assert estimate.break_even is not None
    assert estimate.cpu_only_hours is not None
    prices = Prices(cpu_hour, estimate.break_even * cpu_hour)
    assert prices.cost(estimate.hours) == pytest.approx(prices.cost(estimate.cpu_only_hours), rel=1e-6)


@given(workloads, farms, st.floats(1e-3, 1e3))
def test_what_a_rate_needs_is_enough_and_one_gpu_less_is_not(workload: Workload, farm: Farm, rate: float) -> None:
    farm = replace(farm, bandwidth=None)
    needs = farm.needs(workload, rate)
    has = replace(farm, gpus=needs.gpus)
    assert has.events_per_second(workload, needs.clients) >= rate * (1 - 1e-6)
    assert needs.bandwidth == pytest.approx(rate * workload.bits)
    if needs.gpus > 1:
        assert replace(farm, gpus=needs.gpus - 1).events_per_second(workload, 10 * needs.clients) < rate
    if needs.clients > 1:
        assert has.events_per_second(workload, needs.clients - 1) < rate


@given(workloads, farms, counts)
def test_hours_and_rates_agree_and_no_gpu_works_more_than_always(workload: Workload, farm: Farm, clients: int) -> None:
    estimate = Estimate("t", workload, farm, clients, events=1000)
    assert estimate.hours.cpu * 3600 == pytest.approx(1000 * estimate.event_seconds)
    assert estimate.hours.gpu / farm.gpus == pytest.approx(estimate.hours.cpu / clients)
    assert 0 < estimate.busy <= 1
    saturated = clients > farm.saturation(workload) * (1 + 1e-9)
    assert (estimate.bound_by in ("GPUs", "servers' link")) or not saturated
    assert estimate.event_seconds - estimate.module_seconds == pytest.approx(workload.other, abs=1e-6)


def test_what_bounds_a_client_is_named() -> None:
    workload = Workload(other=1, gpu=0.1, travel=4, transmit=2)
    assert Farm().bound_by(workload, 1) == "client's waiting"
    assert Farm(streams=4).bound_by(workload, 1) == "client's link"
    assert Farm(streams=4).bound_by(replace(workload, transmit=0.5, other=3), 1) == "client's core"
    assert Farm().bound_by(workload, 100) == "GPUs"


def test_packing_that_costs_more_than_the_module_is_a_loss_and_not_an_error() -> None:
    loss = Workload(other=1, gpu=0.1, packing=3, module=2)
    assert loss.replacement == pytest.approx(-10)
    assert loss.fraction == pytest.approx(-1 / 3)
    assert Estimate("t", loss, Farm(), clients=1, events=1).speed_up == pytest.approx(3 / 4.1)


def test_where_nothing_stays_with_the_client_there_is_no_limit() -> None:
    assert Workload(other=0, gpu=1, module=1).speed_up_limit is None


def test_without_the_modules_time_nothing_is_said_of_a_speed_up() -> None:
    estimate = Estimate("t", Workload(other=1, gpu=0.1), Farm(), clients=1, events=1)
    assert (estimate.speed_up, estimate.cpu_only_hours, estimate.break_even) == (None, None, None)
    with pytest.raises(ConfigurationError, match="the module's CPU time without a server is not known"):
        estimate.workload.cpu_only  # noqa: B018


BAD = [-1.0, math.nan, math.inf]


@pytest.mark.parametrize("value", [*BAD, 1e16])
@pytest.mark.parametrize("name", ["other", "gpu", "packing", "transmit", "travel", "module", "bits"])
def test_a_wrong_number_of_an_event_is_named(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=f"the event: {name}: must be"):
        Workload(**{"other": 1.0, "gpu": 1.0, name: value})


@pytest.mark.parametrize("value", [*BAD, 0.0])
@pytest.mark.parametrize(
    "call",
    [
        lambda bad: Farm(efficiency=bad),
        lambda bad: Farm(bandwidth=bad),
        lambda bad: Farm().needs(Workload(other=1, gpu=1), bad),
        lambda bad: saturation_ratio(1, bad),
        lambda bad: replacement_ratio(1, 0, 0, bad),
        lambda bad: transmit_seconds(1, bad),
        lambda bad: saturated_seconds(1, 1, bad),
        lambda bad: accelerated_fraction(bad, 0, 0),
        lambda bad: Workload(other=1, gpu=bad),
    ],
)
def test_what_must_be_above_0_is_so(call: object, value: float) -> None:
    assert callable(call)
    with pytest.raises(ConfigurationError, match="must be above 0"):
        call(value)


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(
    "call",
    [
        lambda bad: ideal_seconds(bad, 1, 1),
        lambda bad: sonic_seconds(bad, 1, 1, 1),
        lambda bad: saturated_seconds(1, [1, bad], 1),
        lambda bad: travel_seconds(1, bad),
        lambda bad: Prices(bad, 1),
        lambda bad: accelerated_fraction(1, 0, bad),
    ],
)
def test_what_must_be_at_least_0_is_so(call: object, value: float) -> None:
    assert callable(call)
    with pytest.raises(ConfigurationError, match="must be at least 0"):
        call(value)


@pytest.mark.parametrize("name", ["gpus", "streams"])
def test_a_farm_has_at_least_one_of_each(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the farm: {name}: must be at least 1 and at most 1e\\+15, not 0"):
        Farm(**{name: 0})


@pytest.mark.parametrize("name", ["clients", "events"])
def test_an_estimate_is_for_at_least_one_client_and_event(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the farm: {name}: must be at least 1"):
        Estimate("t", Workload(other=1, gpu=1), Farm(), **{"clients": 1, "events": 1, name: 0})


def test_a_module_that_takes_longer_than_its_event_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="t_module must be at most t_cpu, 1 s, not 2 s"):
        accelerated_fraction(1, 2, 0)
