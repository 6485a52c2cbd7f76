"""The closed form of closed out, and where a curve has its knee."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.studies.simulation import ClosedForm
from eventbraid.studies.simulation.published import protodune_scaling

seconds = st.floats(0.01, 100)


@given(seconds, seconds, seconds, st.integers(1, 16), st.integers(1, 1000))
def test_eq_4_is_eq_2_below_the_saturation_and_eq_5_above(
    other: float, latency: float, gpu: float, gpus: int, clients: int
) -> None:
    closed = ClosedForm(other, latency, gpu)
    expected = closed.ideal if clients <= closed.saturation(gpus) else gpu * clients / gpus
    assert closed.event(clients, gpus) == pytest.approx(expected)
    assert closed.module(clients, gpus) == pytest.approx(expected - other, abs=1e-6)


def test_the_paper_s_own_numbers_fit_its_equation() -> None:
    """arXiv:2009.04509: 13 s for the module and 123 s for the event with 1693 rows; 68 clients a GPU."""
    closed = protodune_scaling(1693)
    assert closed.module(1, 4) == pytest.approx(13, rel=0.02)
    assert closed.event(1, 4) == pytest.approx(123, rel=0.01)
    assert closed.saturation(1) == pytest.approx(68, rel=0.05)
