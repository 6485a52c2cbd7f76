"""The shapes in which a model sees its tensors, where its configuration says that they are others (`reshape`). Pure."""

from __future__ import annotations

from typing import Any

from eventbraid.kserve import Tensors

__all__ = ["Shapes"]


class Shapes:
    """Turns a request's tensors into those of the model, and the model's into those of the answer."""

    def __init__(self, config: Any) -> None:
        self._batch = 1 if config.max_batch_size else 0
        self._inputs = {each.name: list(each.reshape.shape) for each in config.input if each.HasField("reshape")}
        self._outputs = {each.name: list(each.dims) for each in config.output if each.HasField("reshape")}

    def taken(self, inputs: Tensors) -> Tensors:
        """What the model gets."""
        return self._reshaped(inputs, self._inputs)

    def given(self, outputs: Tensors) -> Tensors:
        """What the answer has."""
        return self._reshaped(outputs, self._outputs)

    def _reshaped(self, tensors: Tensors, shapes: dict[str, list[int]]) -> Tensors:
        if not shapes:
            return tensors
        return {
            name: array.reshape((*array.shape[: self._batch], *shapes[name])) if name in shapes else array
            for name, array in tensors.items()
        }
