"""How values lie around their median."""

from __future__ import annotations

from eventbraid.studies.spread import Spread, quantile


def test_a_spread_is_median_and_extremes() -> None:
    assert Spread.of([3, 1, 2]) == Spread(2, 1, 3)


def test_a_quantile_is_one_of_the_values() -> None:
    assert [quantile([1, 2, 3, 4], fraction) for fraction in (0, 0.5, 0.95, 1)] == [1, 3, 4, 4]
    assert quantile([], 0.5) == 0
