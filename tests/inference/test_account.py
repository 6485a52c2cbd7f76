"""What is counted of requests, and where their time is said to have gone."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.inference.account import Account, Durations, Statistics, split
from eventbraid.kserve.wire import protocol

SECONDS = st.floats(1e-6, 3600)


@given(st.lists(SECONDS, min_size=1, max_size=200), st.sampled_from([0.05, 0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_right_to_three_percent(seconds: list[float], share: float) -> None:
    durations = Durations()
    for each in seconds:
        durations.add(each)
    exact = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    assert durations.quantile(share) == pytest.approx(exact, rel=0.016)
    assert durations.mean == pytest.approx(sum(seconds) / len(seconds))


def test_no_duration_is_too_short_or_too_long_to_be_counted() -> None:
    durations = Durations()
    for each in (0.0, 1e-9, 1e9):
        durations.add(each)
    assert durations.count == 3
    assert durations.quantile(0.5) <= 1e-6
    assert durations.quantile(1.0) > 3600


def test_without_a_duration_there_is_nothing_to_tell() -> None:
    assert Durations().to_dict() == {"mean": 0.0, "p50": 0.0, "p95": 0.0, "p99": 0.0}


def answer(*versions: tuple[int, int, float]) -> Any:
    """What a server says of versions of a model: requests, executions, and seconds of queue and of each compute."""
    said = protocol().ModelStatisticsResponse()
    for requests, executions, seconds in versions:
        each = said.model_stats.add(name="m", execution_count=executions)
        each.inference_stats.success.count = requests
        for name in ("queue", "compute_input", "compute_infer", "compute_output"):
            getattr(each.inference_stats, name).ns = int(seconds * 1e9)
    return said


def test_statistics_are_those_of_all_versions_in_between() -> None:
    before, after = Statistics.of(answer((100, 50, 1.0))), Statistics.of(answer((140, 60, 1.5), (10, 5, 0.5)))
    between = after.since(before)
    assert (between.requests, between.executions) == (50, 15)
    assert between.queue == pytest.approx(1.0)
    assert between.compute == pytest.approx(3.0)


def test_a_server_that_was_started_anew_has_counted_from_nothing() -> None:
    after = Statistics(requests=5, executions=5, queue=0.1, compute=0.2)
    assert after.since(Statistics(requests=90, executions=90, queue=4.0, compute=8.0)) == after


def test_the_time_of_a_request_is_split_into_its_parts() -> None:
    server = Statistics(requests=10, executions=4, queue=0.05, compute=0.2)
    parts = split(0.001, 0.03, server)
    assert parts == pytest.approx(
        {"client_queue": 0.001, "network": 0.005, "server_queue": 0.005, "server_compute": 0.02}
    )


def test_the_network_never_takes_less_than_no_time() -> None:
    assert split(0.0, 0.01, Statistics(requests=1, queue=0.02))["network"] == 0.0


def test_where_the_server_says_nothing_only_our_own_part_is_known() -> None:
    expected = {"client_queue": 0.001, "network": None, "server_queue": None, "server_compute": None}
    assert split(0.001, 0.03, None) == split(0.001, 0.03, Statistics()) == expected


def test_a_server_that_did_more_than_we_asked_is_marked_as_shared() -> None:
    account = Account(requests=9, tries=10)
    assert account.to_dict(1.0, Statistics(requests=11))["shared"]
    assert not account.to_dict(1.0, Statistics(requests=10))["shared"]
    assert not account.to_dict(1.0, None)["shared"]


def test_bytes_of_both_ways_make_the_bytes_a_second() -> None:
    told = Account(requests=1, bytes_sent=3_000_000, bytes_received=1_000_000).to_dict(2.0, None)
    assert told["bytes_per_second"] == 2_000_000
    assert Account().to_dict(0.0, None)["bytes_per_second"] == 0.0
