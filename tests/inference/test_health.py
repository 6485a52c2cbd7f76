"""Whether a server may be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.inference.pool.health import FIRST_PROBE, FROZEN_AFTER, LAST_PROBE, Health, probe_pause


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_pause_between_looks_is_within_its_bounds(looks: int, draw: float) -> None:
    assert FIRST_PROBE / 2 <= probe_pause(looks, draw) <= LAST_PROBE


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_a_later_pause_between_looks_is_not_shorter(looks: int, draw: float) -> None:
    assert probe_pause(looks, draw) <= probe_pause(looks + 1, draw)


def test_a_server_that_is_lost_is_not_ready_and_says_why() -> None:
    health = Health()
    assert health.lost("refused", 5.0)
    assert (health.ready, health.reason, health.since, health.times_away) == (False, "refused", 5.0, 1)


def test_a_server_that_is_lost_again_before_it_was_found_was_away_once() -> None:
    health = Health()
    health.lost("refused", 5.0)
    assert not health.lost("no answer", 6.0)
    assert (health.reason, health.since, health.times_away) == ("no answer", 5.0, 1)


def test_a_server_that_is_found_is_ready_and_was_heard() -> None:
    health = Health()
    health.lost("refused", 5.0)
    health.found(7.0)
    assert (health.ready, health.reason, health.heard) == (True, "", 7.0)


def test_a_server_that_is_lost_twice_was_away_twice() -> None:
    health = Health()
    health.lost("refused", 5.0)
    health.found(6.0)
    health.lost("refused", 7.0)
    assert health.times_away == 2


@pytest.mark.parametrize(
    ("ready", "outstanding", "seconds", "silent"),
    [
        (True, 1, FROZEN_AFTER + 0.1, True),
        (True, 1, FROZEN_AFTER - 0.1, False),
        (True, 0, FROZEN_AFTER + 0.1, False),
        (False, 1, FROZEN_AFTER + 0.1, False),
    ],
)
def test_a_server_is_silent_that_is_ready_and_owes_an_answer_for_long(
    ready: bool, outstanding: int, seconds: float, silent: bool
) -> None:
    assert Health(ready=ready, heard=3.0).silent(3.0 + seconds, outstanding) is silent
