"""How long a server is expected to take."""

from __future__ import annotations

import pytest

from eventbraid.inference.pool.latency import HALF_LIFE, MOST_BLAME, SMOOTHING, Latency


@pytest.fixture
def known() -> Latency:
    """Of a server that took 1 s when it was asked at 10."""
    latency = Latency()
    latency.asked(10.0)
    latency.took(1.0)
    return latency


def test_nothing_is_expected_of_a_server_that_has_not_answered() -> None:
    latency = Latency()
    latency.asked(10.0)
    latency.failed()
    assert latency.expected(11.0) == 0


def test_the_first_answer_after_a_silence_counts_for_the_more_the_longer_that_was(known: Latency) -> None:
    known.asked(10.0 + 3 * HALF_LIFE)
    known.asked(10.0 + 3 * HALF_LIFE)
    known.took(9.0)
    assert known.expected(10.0 + 3 * HALF_LIFE) == pytest.approx(8.0)
    known.took(9.0)
    assert known.expected(10.0 + 3 * HALF_LIFE) == pytest.approx(8.0 + SMOOTHING)


def test_the_newest_answer_moves_the_mean_a_little(known: Latency) -> None:
    known.took(2.0)
    assert known.expected(10.0) == pytest.approx(1 + SMOOTHING)


def test_a_server_that_is_not_asked_comes_to_seem_fast(known: Latency) -> None:
    assert known.expected(10.0 + HALF_LIFE) == pytest.approx(0.5)
    assert known.expected(10.0 + 10 * HALF_LIFE) < 0.001


def test_one_that_is_asked_again_and_silent_seems_as_slow_as_before(known: Latency) -> None:
    known.asked(20.0)
    assert known.expected(20.0) == pytest.approx(1.0)


def test_bad_answers_make_it_seem_slow_and_good_ones_take_that_back(known: Latency) -> None:
    for _ in range(3):
        known.failed()
    assert known.expected(10.0) == pytest.approx(8.0)
    for _ in range(4):
        known.did_well()
    assert known.expected(10.0) == pytest.approx(1.0)


def test_no_number_of_bad_answers_is_held_against_it_for_long(known: Latency) -> None:
    for _ in range(1000):
        known.failed()
    assert known.expected(10.0) == pytest.approx(MOST_BLAME)
    assert known.expected(10.0 + 10 * HALF_LIFE) < 0.1


def test_what_was_known_of_another_server_is_forgotten(known: Latency) -> None:
    known.failed()
    known.forget()
    assert known.expected(10.0) == 0
    known.took(2.0)
    assert known.expected(0.0) == pytest.approx(2.0)
