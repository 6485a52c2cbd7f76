"""The papers' numbers from the papers' inputs; the bounds are how far the model may be off."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from papers import DEEPCALO, DEEPCALO_JOINED, FACILE, LARGE, RESNET, SMALL, hlt, protodune

from eventbraid.serving.emulation import parse_device
from eventbraid.studies.model import (
    Estimate,
    Farm,
    Requests,
    Workload,
    device_seconds,
    replacement_ratio,
    travel_seconds,
)

SPEED_UP, CLIENTS, HLT_CLIENTS = 0.05, 0.10, 0.15
BLOCKING, BRAIDED = Farm(), Farm(streams=16)


def about(number: float, share: float) -> object:
    return pytest.approx(number, rel=share)


def test_the_parts_of_the_neutrino_event_are_those_of_the_paper() -> None:
    assert LARGE.cpu_only == 330
    assert LARGE.fraction == about(0.65, 0.01)
    assert LARGE.transmit == about(4.1, 0.02)
    assert (LARGE.travel, travel_seconds(214, 0.012)) == (about(0.38, 0.02), about(2.6, 0.02))
    assert (LARGE.gpu, protodune(22_000, 214).gpu) == (about(1.77, 0.01), about(2.5, 0.01))


def test_the_module_is_17_times_and_the_event_2_7_times_as_fast() -> None:
    farm = Estimate("w", LARGE, Farm(gpus=4), clients=100, events=1)
    assert LARGE.as_service == about(13, SPEED_UP)
    assert LARGE.module_speed_up == about(17, SPEED_UP)
    assert farm.event_seconds == about(123, 0.01)
    assert farm.speed_up == about(2.7, SPEED_UP)


def test_preprocessing_counted_twice_as_in_the_text_misses_the_measured_event() -> None:
    assert LARGE.ideal + LARGE.packing == about(130.2, 0.001)
    assert 330 / (LARGE.ideal + LARGE.packing) < 2.7 * (1 - SPEED_UP)


@pytest.mark.parametrize(
    ("workload", "gpus", "clients"), [(LARGE, 1, 68), (LARGE, 4, 270), (SMALL, 4, 190)], ids=["68", "270", "190"]
)
def test_as_many_clients_as_in_the_paper_are_served_before_saturation(
    workload: Workload, gpus: int, clients: int
) -> None:
    farm = Farm(gpus=gpus)
    assert farm.saturation(workload) == about(clients, CLIENTS)
    flat, late = farm.event_seconds(workload, [0.9 * clients, 1.1 * clients])
    assert flat == workload.ideal < late


@pytest.mark.parametrize(("batch", "gpus", "clients"), [(1693, 1, 68), (1693, 4, 270), (235, 4, 190)])
def test_the_preset_of_the_emulation_gives_these_clients_too(batch: int, gpus: int, clients: int) -> None:
    requests = -(-55_000 // batch)
    gpu, efficiency = device_seconds(parse_device("emulated:t4"), [Requests("emtrackmichelid", requests, 55_000)])
    workload = replace(protodune(31_000, requests), gpu=gpu)
    assert efficiency == 1
    assert Farm(gpus=gpus).saturation(workload) == about(clients, CLIENTS)


@pytest.mark.parametrize("link", [1e9, 2e9])
def test_the_event_of_the_paper_lies_between_its_two_links(link: float) -> None:
    assert protodune(31_000, 32, link).cpu_only / protodune(31_000, 32, link).ideal == about(2.7, SPEED_UP)


@pytest.mark.parametrize(
    ("workload", "ratio"), [(FACILE, 27), (DEEPCALO, 50), (DEEPCALO_JOINED, 750)], ids=["FACILE", "DeepCalo", "joined"]
)
def test_a_gpu_replaces_as_many_cores_as_in_table_2(workload: Workload, ratio: float) -> None:
    assert workload.replacement == about(ratio, SPEED_UP)


def test_the_ratio_of_resnet_is_not_that_of_the_times_in_the_text() -> None:
    assert replacement_ratio(18, 0, 0, RESNET.gpu) == about(450, 0.001)  # section 6: 18 s on a CPU; Table 2 has 150
    assert replacement_ratio(6, 0, 0, RESNET.gpu) == about(150, 0.001)


@pytest.mark.parametrize(
    ("workload", "rate", "gigabits"),
    [(FACILE, 500, 3.9), (DEEPCALO, 680, 0.27), (DEEPCALO_JOINED, 9800, 3.9), (RESNET, 25, 1.2)],
    ids=["FACILE", "DeepCalo", "joined", "ResNet"],
)
def test_a_full_gpu_has_the_rate_and_bandwidth_of_table_2(workload: Workload, rate: float, gigabits: float) -> None:
    full = Estimate("k", workload, BRAIDED, clients=10_000, events=1)
    assert full.events_per_second == pytest.approx(rate)
    assert full.gpu_bandwidth == about(gigabits * 1e9, SPEED_UP)
    assert full.busy == pytest.approx(1)


def test_facile_on_the_preset_reaches_500_batches_a_second() -> None:
    full = Estimate("k", hlt(16_000), BRAIDED, clients=10_000, events=1)
    assert full.events_per_second == about(500, 0.001)


def test_one_gpu_serves_the_300_trigger_clients_of_facile_in_batches_of_the_trigger() -> None:
    assert BRAIDED.saturation(hlt(4_500)) == about(300, HLT_CLIENTS)
    assert BRAIDED.saturation(hlt(16_000)) == about(223, 0.01)  # too few by a quarter


def test_the_trigger_loses_a_tenth_of_its_time() -> None:
    farm = Estimate("k", hlt(4_500), BRAIDED, clients=200, events=1)
    assert farm.event_seconds == about(0.9 * 0.5, SPEED_UP)


def test_the_papers_own_180_clients_are_its_ratio_over_the_share_of_the_time() -> None:
    assert FACILE.replacement / 0.15 == about(180, SPEED_UP)


@pytest.mark.parametrize(
    ("workload", "rate", "gpus", "gigabits"),
    [
        (FACILE, 5_000, 10, 39),
        (DEEPCALO_JOINED, 5_000, 1, 2),
        (RESNET, 5_000, 200, 240),
        (RESNET, 64_000, 2_500, 2_900),
        (DEEPCALO_JOINED, 64_000, 7, 24),  # 6.5; the paper has six
    ],
)
def test_section_6_needs_these_gpus_and_this_bandwidth(
    workload: Workload, rate: float, gpus: int, gigabits: float
) -> None:
    needs = BRAIDED.needs(workload, rate)
    assert needs.gpus == about(gpus, 0.03)
    assert needs.bandwidth == about(gigabits * 1e9, CLIENTS)


def test_a_thin_link_before_the_gpus_is_what_limits_the_rate() -> None:
    farm = Farm(gpus=8, streams=16, bandwidth=12e9)  # K 5.2.1: 1500 inferences a second through one ingress node
    full = Estimate("k", FACILE, farm, clients=1_000, events=1)
    assert full.events_per_second == about(1_500, SPEED_UP)
    assert full.bound_by == "servers' link"
