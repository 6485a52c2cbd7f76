"""How many copies of a model there are, and where each of them is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eventbraid.errors import ConfigurationError

__all__ = ["Place", "places"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy of a model is executed."""

    gpu: int | None = None
    """Its number; None: on the CPU."""

    @property
    def kind(self) -> str:
        """As Triton calls it."""
        return "CPU" if self.gpu is None else "GPU"


def places(config: Any, gpus: Sequence[int], where: str = "") -> list[Place]:
    """One for each copy: as the groups of a ModelConfig say, one where it says nothing.

    Raises `ConfigurationError` where a group wants a GPU that is not there.
    """
    return list(_places(config, gpus, where or config.name)) or [Place(gpus[0] if gpus else None)]


def _places(config: Any, gpus: Sequence[int], where: str) -> Iterator[Place]:
    for group in config.instance_group:
        kind = type(group).Kind.Name(group.kind)
        count = group.count or 1
        if kind == "KIND_GPU" and not gpus:
            raise ConfigurationError("instance_group wants a GPU, and there is none that onnxruntime can use", where)
        if missing := sorted(set(group.gpus) - set(gpus)) if kind == "KIND_GPU" else []:
            there = ", ".join(map(str, gpus))
            raise ConfigurationError(f"instance_group wants GPU {missing[0]}, there are {there}", where)
        on_gpus = kind == "KIND_GPU" or (kind == "KIND_AUTO" and bool(gpus))
        for gpu in (list(group.gpus) or gpus) if on_gpus else [None]:
            yield from [Place(gpu)] * count
