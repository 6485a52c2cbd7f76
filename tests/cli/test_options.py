"""What options say is read, and what they cannot mean is a fault with an example."""

from __future__ import annotations

import pytest

from eventbraid import ConfigurationError
from eventbraid.cli.options import parse_distances, parse_numbers


def test_numbers_and_durations_stand_between_commas() -> None:
    assert parse_numbers("1, 4,16", "--streams") == (1, 4, 16)
    assert parse_distances("0ms,12ms,1s") == (0, 0.012, 1)


@pytest.mark.parametrize("text", ["", "4,", "four", "1.5", "1;2"])
def test_other_numbers_of_events_in_flight_are_faults_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--streams: must be whole numbers between commas.*1,4,16"):
        parse_numbers(text, "--streams")


@pytest.mark.parametrize("text", ["", "12", "12 km", "0ms,"])
def test_other_distances_are_faults_that_say_what_is_expected(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--distance: .* is no duration: expected a number with ns, us, ms"):
        parse_distances(text)
