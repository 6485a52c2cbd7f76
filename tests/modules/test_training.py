"""The loop over batches that the training scripts share."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest

from eventbraid.errors import DataError
from eventbraid_modules import training

torch = pytest.importorskip("torch", reason="training needs torch")


def fitted(rows: int, batch: int, epochs: int) -> tuple[list[list[int]], list[float], float]:
    """The rows of each batch and the learning rate at each step of a fit of one number to 3, and that number."""
    training.torch(1)
    number = torch.nn.Parameter(torch.zeros(()))
    optimiser = torch.optim.Adam([number], lr=0.5)
    seen: list[list[int]] = []
    rates: list[float] = []

    def loss(chosen: Any) -> Any:
        seen.append(chosen.tolist())
        rates.append(optimiser.param_groups[0]["lr"])
        return (number - 3) ** 2

    training.fit(optimiser, loss, rows, batch=batch, epochs=epochs)
    return seen, rates, number.item()


def test_a_pass_takes_every_row_once_but_those_that_fill_no_batch() -> None:
    seen, _, _ = fitted(rows=10, batch=3, epochs=2)
    assert [len(each) for each in seen] == [3] * 6
    for once in ({*chain(*seen[:3])}, {*chain(*seen[3:])}):
        assert len(once) == 9
        assert once <= set(range(10))
    assert seen[:3] != seen[3:]


def test_the_learning_rate_rises_once_to_that_of_the_optimiser_and_falls_to_nothing() -> None:
    _, rates, _ = fitted(rows=100, batch=1, epochs=1)
    top = rates.index(max(rates))
    assert 25 < top < 35
    assert rates[top] == pytest.approx(0.5, rel=1e-2)
    assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)
    assert rates[-1] < 1e-3


def test_the_loss_is_minimised() -> None:
    assert fitted(rows=100, batch=1, epochs=1)[2] == pytest.approx(3, abs=0.1)


def test_a_sample_smaller_than_a_batch_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"5 rows, fewer than a batch of 6: train on more events"):
        fitted(rows=5, batch=6, epochs=1)


def test_training_is_on_one_thread() -> None:
    assert training.torch(1).get_num_threads() == 1
