"""Answers that make no sense, made of good ones. Of a tensor in shared memory only what is said of it is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np

from eventbraid.kserve.tensors import NUMPY_TYPES, decode

__all__ = ["LIES", "Lie"]

Lie: TypeAlias = Callable[[Any], bytes]
"""From a good ModelInferResponse, which it may change, to the bytes of a bad one."""


def wrong_shape(answer: Any) -> bytes:
    """Every output has one dimension more."""
    for output in answer.outputs:
        output.shape.append(1)
    return _bytes(answer)


def too_few_rows(answer: Any) -> bytes:
    """Every output lacks its last row, where it has one."""
    for number, output in _with_rows(answer):
        rows, content = output.shape[0], _content(answer, number)
        if output.datatype == "BYTES" and content:
            strings = decode(content, "BYTES", output.shape)[:-1].ravel()
            kept = sum(4 + len(each) for each in strings)
        else:
            kept = len(content) // rows * (rows - 1)
        if content:
            answer.raw_output_contents[number] = content[:kept]
        output.shape[0] -= 1
    return _bytes(answer)


def more_rows_than_bytes(answer: Any) -> bytes:
    """Every output says that it has a row more."""
    for _, output in _with_rows(answer):
        output.shape[0] += 1
    return _bytes(answer)


def wrong_type(answer: Any) -> bytes:
    """Every output is of another type: numbers the same in FP64 (or FP32), strings as INT8 numbers."""
    for number, output in enumerate(answer.outputs):
        content, old = _content(answer, number), output.datatype
        if old in NUMPY_TYPES and old != "BYTES":
            output.datatype = "FP32" if old == "FP64" else "FP64"
            if content:
                numbers = np.frombuffer(content, NUMPY_TYPES[old])
                answer.raw_output_contents[number] = numbers.astype(NUMPY_TYPES[output.datatype]).tobytes()
        else:
            output.datatype = "INT8"
            output.shape[:] = [len(content)]
    return _bytes(answer)


def wrong_name(answer: Any) -> bytes:
    """Every output has another name."""
    for output in answer.outputs:
        output.name += "_"
    return _bytes(answer)


def missing_output(answer: Any) -> bytes:
    """The last output is not there."""
    if answer.outputs:
        if len(answer.raw_output_contents) == len(answer.outputs):
            del answer.raw_output_contents[-1]
        del answer.outputs[-1]
    return _bytes(answer)


def missing_content(answer: Any) -> bytes:
    """The last output is said to be there, and its bytes are not."""
    del answer.raw_output_contents[-1:]
    return _bytes(answer)


def empty(answer: Any) -> bytes:
    """No bytes at all, which is a message with no output."""
    return b""


def garbage(answer: Any) -> bytes:
    """Bytes that are no message."""
    return b"\xff" * 64


LIES: Final[Mapping[str, Lie]] = MappingProxyType(
    {
        lie.__name__: lie
        for lie in (
            wrong_shape,
            too_few_rows,
            more_rows_than_bytes,
            wrong_type,
            wrong_name,
            missing_output,
            missing_content,
            empty,
            garbage,
        )
    }
)
"""Every lie by its name, which is the `kind` of its fault."""


def _bytes(answer: Any) -> bytes:
    return bytes(answer.SerializeToString())


def _content(answer: Any, number: int) -> bytes:
    """The bytes of an output; empty where they are in shared memory, or stand in the output as numbers."""
    contents = answer.raw_output_contents
    return contents[number] if number < len(contents) else b""


def _with_rows(answer: Any) -> Iterator[tuple[int, Any]]:
    return ((number, each) for number, each in enumerate(answer.outputs) if each.shape and each.shape[0] > 0)
