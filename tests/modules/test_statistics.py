"""Figures of merit that several workflows have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventbraid_modules.statistics import effective_resolution, efficiency


def test_the_effective_resolution_of_a_normal_distribution_is_its_sigma() -> None:
    assert effective_resolution(np.random.default_rng(1).normal(5, 2, 100_000)) == pytest.approx(2, rel=0.02)


def test_an_efficiency_is_the_share_that_passes_in_each_bin_with_its_binomial_error() -> None:
    truth = np.array([5.0, 5, 5, 5, 15, 15, 25])
    passed = np.array([True, False, False, False, True, True, False])
    share, error = efficiency(truth, passed, [0.0, 10, 20, 30, 40])
    assert share[:3].tolist() == [0.25, 1, 0]
    assert error[0] == pytest.approx(np.sqrt(0.25 * 0.75 / 4))
    assert np.isnan(share[3])


@example([1.5, *[0.5] * 7, *[1.0] * 17], 0.0, 3)  # 0.68 * 75 is a little more than 51
@given(st.lists(st.floats(0.5, 1.5), min_size=1, max_size=60), st.floats(-0.4, 0.4), st.integers(1, 40))
def test_half_of_the_interval_holds_68_percent_wherever_it_lies(ratios: list[float], shift: float, far: int) -> None:
    values = np.array(ratios)
    width = effective_resolution(values)
    assert effective_resolution(values + shift) == pytest.approx(width, abs=1e-9)
    held = [np.count_nonzero((values >= low) & (values <= low + 2 * width + 1e-12)) for low in values]
    assert 100 * max(held) >= 68 * len(values)
    assert width <= (values.max() - values.min()) / 2 + 1e-12
    assert effective_resolution(np.repeat(values, far)) <= width + 1e-12
