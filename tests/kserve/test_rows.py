"""Requests put together and answers taken apart by their rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.errors import RequestError
from eventbraid.kserve import Tensors
from eventbraid.kserve.rows import alike, check_even, join, rows, split


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_split_takes_apart_what_join_put_together(sizes: list[int]) -> None:
    requests = [{"x": np.full((size, 3), n, np.float32)} for n, size in enumerate(sizes)]
    parts = split(join(requests), [rows(each) for each in requests])
    for part, request in zip(parts, requests, strict=True):
        assert np.array_equal(part["x"], request["x"])


def test_an_answer_that_has_not_a_row_for_each_row_is_an_error_alone_and_with_others() -> None:
    for sizes in ([3], [1, 2]):
        with pytest.raises(ValueError, match=r"output 'y' has shape \[2, 1\] for a batch of 3"):
            split({"y": np.zeros((2, 1))}, sizes)


def test_rows_of_single_numbers_are_one() -> None:
    assert rows({"x": np.array(3.0)}) == 1


def test_inputs_with_different_rows_are_the_requests_fault() -> None:
    with pytest.raises(RequestError, match=r"different batch sizes: \{'x': 3, 'y': 1\}"):
        check_even({"x": np.zeros((3, 2)), "y": np.array(1.0)})


@pytest.mark.parametrize(
    "other",
    [
        {"x": np.zeros((2, 4), np.float32)},
        {"x": np.zeros((2, 3), np.float64)},
        {"y": np.zeros((2, 3), np.float32)},
        {"x": np.zeros((2, 3), np.float32), "y": np.zeros((2, 3), np.float32)},
    ],
)
def test_requests_of_other_shapes_types_or_names_are_not_alike(other: Tensors) -> None:
    one = {"x": np.zeros((5, 3), np.float32)}
    assert alike(one, {"x": np.ones((2, 3), np.float32)})
    assert not alike(one, other)
