"""A request cut by its rows gives what it would give whole."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid.errors import RequestError, ServerError
from eventbraid.inference.pieces import cuts, pieces, rejoin, rows_of_a_piece
from eventbraid.kserve import ModelMetadata, Tensors
from eventbraid.kserve.rows import rows

ROWS, MOST = st.integers(0, 200), st.integers(1, 40)


def request_of(count: int) -> Tensors:
    words = np.array([b"row %d" % n for n in range(count)], object).reshape(count, 1)
    return {"x": np.arange(count * 6, dtype=np.float32).reshape(count, 2, 3), "words": words}


@given(ROWS, MOST)
def test_the_cuts_follow_each_other_and_are_full_but_for_the_last(count: int, most: int) -> None:
    parts = cuts(count, most)
    assert parts[0].start == 0
    assert parts[-1].stop == count
    assert all(one.stop == two.start for one, two in pairwise(parts))
    assert all(part.stop - part.start == most for part in parts[:-1])
    assert len(parts) == 1 or 0 < parts[-1].stop - parts[-1].start <= most


def test_without_a_bound_there_is_one_piece() -> None:
    assert cuts(1693, 0) == [slice(0, 1693)]


@pytest.mark.parametrize(
    ("max_batch", "batch_size", "most"), [(0, 0, 0), (64, 0, 64), (0, 8, 8), (64, 8, 8), (64, 100, 64), (64, -3, 64)]
)
def test_a_piece_has_the_rows_that_are_asked_for_if_the_model_takes_them(
    max_batch: int, batch_size: int, most: int
) -> None:
    assert rows_of_a_piece(ModelMetadata("m", ("1",), (), (), max_batch), batch_size) == most


@given(ROWS, MOST)
def test_what_was_cut_and_rejoined_is_the_whole(count: int, most: int) -> None:
    whole = request_of(count)
    parts = pieces(whole, most)
    assert max(map(rows, parts)) <= most
    again = rejoin(parts, [rows(part) for part in parts])
    assert again.keys() == whole.keys()
    for name, array in whole.items():
        assert again[name].dtype == array.dtype
        assert np.array_equal(again[name], array)


def test_pieces_are_views_and_a_whole_answer_is_read_only() -> None:
    whole = request_of(500)
    parts = pieces(whole, 235)
    assert [rows(part) for part in parts] == [235, 235, 30]
    assert all(np.shares_memory(part["x"], whole["x"]) for part in parts)
    again = rejoin(parts, [235, 235, 30])
    with pytest.raises(ValueError, match="read-only"):
        again["x"][0] = 1


def test_what_fits_in_one_piece_is_not_touched() -> None:
    whole = request_of(10)
    assert pieces(whole, 10)[0] is whole
    assert pieces(whole, 0)[0] is whole
    assert rejoin([whole], [10]) is whole


def test_inputs_with_different_rows_cannot_be_cut() -> None:
    with pytest.raises(RequestError, match=r"model 'm': the inputs have different batch sizes: \{'x': 9, 'y': 8\}"):
        pieces({"x": np.zeros((9, 1)), "y": np.zeros((8, 1))}, 4, "m")


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        ({"y": np.zeros((3, 4))}, r"output 'y' has shape \[3, 4\] for a batch of 2"),
        (
            {"y": np.zeros((2, 5))},
            r"output 'y' is float64 with rows of shape \[4\] in one, float64 of \[5\] in another",
        ),
        ({"y": np.zeros((2, 4), np.float32)}, r"rows of shape \[4\] in one, float32 of \[4\] in another"),
        ({"z": np.zeros((2, 4))}, "one has y, another z"),
    ],
)
def test_answers_that_do_not_fit_together_are_the_servers_fault(other: Tensors, fault: str) -> None:
    with pytest.raises(ServerError, match=f"^s:1, model 'm': a request in pieces got no whole answer: .*{fault}$"):
        rejoin([{"y": np.zeros((2, 4))}, other], [2, 2], "s:1", "m")
