"""What was obtained beside what is claimed."""

from __future__ import annotations

import pytest

from benchmarks.figures.claims import Claim
from benchmarks.figures.rows import Row, missed

JUDGED = Claim("A 1", "flat up to", 200, "clients", 0.10)
SHOWN = Claim("A 2", "module's time", 13, "s", said="about 13 s")


@pytest.mark.parametrize(
    ("obtained", "verdict"), [(179, "MISSED"), (180, "held"), (200, "held"), (220, "held"), (221, "MISSED")]
)
def test_a_number_is_held_where_it_is_as_near_as_is_wanted(obtained: float, verdict: str) -> None:
    row = Row(JUDGED, obtained)
    assert row.verdict == verdict
    assert missed([row]) == ([row] if verdict == "MISSED" else [])


def test_a_number_that_is_only_shown_is_not_judged() -> None:
    row = Row(SHOWN, 130)
    assert (row.ratio, row.held, row.verdict) == (10, None, "")
    assert missed([row]) == []


def test_the_cells_have_units_the_papers_words_and_the_ratio() -> None:
    assert Row(JUDGED, 190.4).cells() == (
        "A 1", "flat up to", "200 clients", "190 clients", "0.95", "within 10 %", "held",
    )  # fmt: skip
    assert Row(SHOWN, 13.123).cells() == ("A 2", "module's time", "about 13 s", "13.1 s", "1.01", "", "")


@pytest.mark.parametrize(("number", "text"), [(0.2662, "0.266"), (99.44, "99.4"), (123.4, "123"), (9764.2, "9,764")])
def test_numbers_have_three_digits_and_no_decimals_from_a_hundred_on(number: float, text: str) -> None:
    assert Row(Claim("B", "rate", 1), number).cells()[3] == text
