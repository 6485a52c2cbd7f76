"""What a model takes and gives, and whether tensors fit it. Pure; errors say what the model wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import AnswerError, RequestError, nearest
from eventbraid.kserve.tensors import NUMPY_TYPES, Tensors, protocol_type

__all__ = ["ModelMetadata", "TensorSpec", "check_inputs", "check_names", "check_response"]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output of a model: the protocol's type name, and the shape with -1 where any size goes."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def accepts(self, shape: Sequence[int]) -> bool:
        """True when an array of that shape fits."""
        if len(shape) != len(self.shape):
            return False
        for want, have in zip(self.shape, shape, strict=True):  # noqa: SIM110  # a generator takes twice the time
            if want not in (-1, have):
                return False
        return True

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """A model as a server describes it; the batch, where there is one, is the first dimension, -1."""

    name: str
    versions: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch: int = 0
    """The most rows of one request; 0: as many as there are, or the model has no batch."""
    config: Any = field(default=None, compare=False, repr=False)
    """The ModelConfig message; None where the server does not tell."""

    @property
    def optional(self) -> frozenset[str]:
        """The inputs that a request may leave out."""
        return frozenset(each.name for each in self.config.input if each.optional) if self.config else frozenset()

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(map(str, self.inputs))} -> {', '.join(map(str, self.outputs))}"


def check_inputs(model: ModelMetadata, inputs: object, server: str = "") -> None:
    """Raise `RequestError` unless those are the model's inputs in name, type and shape."""
    if not isinstance(inputs, Mapping):
        what = f"the inputs are no dictionary of arrays but {type(inputs).__name__}"
        raise RequestError(what, server=server, model=model.name)
    if len(inputs) == len(model.inputs) and not any(_misfit(spec, inputs.get(spec.name)) for spec in model.inputs):
        return
    wanted = {spec.name: spec for spec in model.inputs}
    faults = [
        f"there is no input {name!r}" + (f", {hint}" if (hint := nearest(str(name), wanted)) else "")
        for name in inputs
        if name not in wanted
    ]
    for name, spec in wanted.items():
        if name not in inputs:
            if name not in model.optional:
                faults.append(f"input {name!r} is missing")
        elif fault := _misfit(spec, inputs[name]):
            faults.append(f"input {name!r} is {fault}")
    if faults:
        wants = ", ".join(map(str, model.inputs))
        raise RequestError(f"{'; '.join(faults)}. The model takes {wants}", server=server, model=model.name)


def check_names(model: ModelMetadata, outputs: Iterable[str], server: str = "") -> None:
    """Raise `RequestError` unless all names are outputs of the model."""
    known = [spec.name for spec in model.outputs]
    for name in outputs:
        if name not in known:
            raise RequestError(f"there is no output {name!r}, {nearest(name, known)}", server=server, model=model.name)


def check_response(model: ModelMetadata, outputs: Tensors, wanted: Iterable[str] = (), server: str = "") -> None:
    """Raise `AnswerError` unless the server's answer has the outputs that its metadata promises."""
    specs = {spec.name: spec for spec in model.outputs}
    for name in tuple(wanted) or specs:
        if name not in outputs:
            given = ", ".join(sorted(outputs)) or "nothing"
            raise AnswerError(f"the answer lacks output {name!r}; it has {given}", server=server, model=model.name)
    for name, array in outputs.items():
        if name in specs and (fault := _misfit(specs[name], array)):
            message = f"the answer's output {name!r} is {fault}; the metadata promises {specs[name]}"
            raise AnswerError(message, server=server, model=model.name)


def _misfit(spec: TensorSpec, given: object) -> str:
    if not isinstance(given, (np.ndarray, np.generic)):
        return f"no array but {type(given).__name__}"
    array: NDArray[Any] = np.asarray(given)
    name = protocol_type(array)
    if name != spec.dtype:
        wanted = NUMPY_TYPES.get(spec.dtype)
        return f"of type {array.dtype}, not {spec.dtype}" + (f" ({wanted})" if wanted is not None else "")
    if not spec.accepts(array.shape):
        return f"of shape {_shape(array.shape)}, not {_shape(spec.shape)}"
    return ""


def _shape(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"
