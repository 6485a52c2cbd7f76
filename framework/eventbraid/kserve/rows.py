"""Requests and answers, row by row: how many there are, what can be one, one of several and several of one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eventbraid.errors import RequestError
from eventbraid.kserve.metadata import ModelMetadata
from eventbraid.kserve.tensors import Tensors

__all__ = ["alike", "check_batch", "check_even", "join", "missing_rows", "rows", "split"]


def rows(inputs: Tensors) -> int:
    """The rows of a request: the first dimension of its tensors; 1 for single numbers."""
    return min([array.shape[0] if array.shape else 1 for array in inputs.values()], default=0)


def check_even(inputs: Tensors, server: str = "", model: str = "") -> None:
    """Raise `RequestError` where the inputs have not the same number of rows each."""
    if len(inputs) == 1:
        return
    sizes = _sizes(inputs)
    if len(set(sizes.values())) > 1:
        raise RequestError(f"the inputs have different batch sizes: {sizes}", server=server, model=model)


def check_batch(model: ModelMetadata, inputs: Tensors, most: int, server: str = "") -> None:
    """Raise `RequestError` where the inputs' batches differ or are more than the model takes; 0: it has no batch."""
    if most == 0:
        return
    check_even(inputs, server, model.name)
    if rows(inputs) > most:
        what = f"batch size {rows(inputs)} is more than the model's {most}"
        raise RequestError(what, server=server, model=model.name)


def alike(one: Tensors, other: Tensors) -> bool:
    """True when two requests can be one: the same inputs of the same types and shapes behind the batch."""
    return one is other or (
        one.keys() == other.keys()
        and all(
            array.dtype == other[name].dtype and array.shape[1:] == other[name].shape[1:]
            for name, array in one.items()
        )
    )


def missing_rows(outputs: Tensors, count: int) -> str:
    """What is wrong with outputs that have not a row for each of so many; empty where they have."""
    for name, array in outputs.items():
        if array.shape[:1] != (count,):
            return f"output {name!r} has shape {list(array.shape)} for a batch of {count}"
    return ""


def join(parts: Sequence[Tensors]) -> Tensors:
    """One request or answer of several, row after row."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def split(outputs: Tensors, sizes: Sequence[int]) -> list[Tensors]:
    """The answers of several requests out of one; raises ValueError where an output has not a row for each row.

    That is asked of a single request too, so that a wrong configuration does not depend on the load to be seen.
    """
    if fault := missing_rows(outputs, sum(sizes)):
        raise ValueError(f"{fault}: a model that mixes its rows needs max_batch_size 0")
    if len(sizes) == 1:
        return [outputs]
    cuts = np.cumsum(sizes)[:-1]
    parts = {name: np.split(array, cuts) for name, array in outputs.items()}
    return [{name: parts[name][n] for name in outputs} for n in range(len(sizes))]


def _sizes(inputs: Tensors) -> dict[str, int]:
    return {name: array.shape[0] if array.shape else 1 for name, array in inputs.items()}
