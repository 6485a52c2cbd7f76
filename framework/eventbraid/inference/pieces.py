"""A request that is sent in pieces of so many rows, and its answer put together again. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from eventbraid.errors import ServerError
from eventbraid.kserve import ModelMetadata, Tensors
from eventbraid.kserve.rows import check_even, join, missing_rows, rows

__all__ = ["cuts", "pieces", "rejoin", "rows_of_a_piece"]


def rows_of_a_piece(model: ModelMetadata, batch_size: int) -> int:
    """The most rows of a request: what is asked for, or what the model takes if that is less; 0 for no bound."""
    most, asked = model.max_batch, max(batch_size, 0)
    return min(most, asked) if most and asked else most or asked


def cuts(count: int, most: int) -> list[slice]:
    """Where `count` rows are cut: pieces of `most`, the rest last; all in one where `most` is 0.

    They are full and not even, so that nearly all requests have the one size which a network is tuned for,
    and the same head on the wire. No rows are one piece without rows.
    """
    if most == 0 or count <= most:
        return [slice(0, count)]
    return [slice(start, min(start + most, count)) for start in range(0, count, most)]


def pieces(inputs: Tensors, most: int, model: str = "") -> list[Tensors]:
    """The inputs in pieces of at most `most` rows, which are views; as they are where `most` is 0, or they fit in one.

    Raises `RequestError` where the inputs differ in their rows.
    """
    if most == 0:
        return [inputs]
    check_even(inputs, model=model)
    count = rows(inputs)
    if count <= most:
        return [inputs]
    return [{name: array[part] for name, array in inputs.items()} for part in cuts(count, most)]


def rejoin(answers: Sequence[Tensors], sizes: Sequence[int], server: str = "", model: str = "") -> Tensors:
    """The answer to a request out of those to its pieces, which had so many rows; read-only.

    A single answer is returned as it is. Raises `ServerError` where an output has not a row for each row, or
    the answers differ in names, types or shapes.
    """
    if len(answers) == 1:
        return answers[0]
    for answer, size in zip(answers, sizes, strict=True):
        if fault := _misfit(answers[0], answer) or missing_rows(answer, size):
            raise ServerError(f"a request in pieces got no whole answer: {fault}", server=server, model=model)
    whole = join(answers)
    for array in whole.values():
        array.flags.writeable = False
    return whole


def _misfit(first: Tensors, other: Tensors) -> str:
    if first.keys() != other.keys():
        return f"one has {', '.join(sorted(first))}, another {', '.join(sorted(other)) or 'nothing'}"
    for name, array in first.items():
        one, two = ((each.dtype, list(each.shape[1:])) for each in (array, other[name]))
        if one != two:
            return f"output {name!r} is {one[0]} with rows of shape {one[1]} in one, {two[0]} of {two[1]} in another"
    return ""
