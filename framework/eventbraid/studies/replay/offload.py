"""Which algorithms of a data flow are moved to a server, and how much of their time they are away then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias, get_args

from eventbraid.errors import ConfigurationError, Fault, nearest

__all__ = ["Choice", "Offload"]

Choice: TypeAlias = Literal["random", "longest"]


@dataclass(frozen=True, slots=True)
class Offload:
    """A number of algorithms that are away for a fraction of their time, as in Gaudi's studies of accelerators.

    They are drawn at random by a seed, or are those that take longest. Raises `ConfigurationError` for what cannot be.
    """

    number: int
    fraction: float
    choice: Choice = "random"
    seed: int = 1

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ConfigurationError(f"the number of algorithms must be at least 0, not {self.number}", "--offload")
        if not 0 <= self.fraction <= 1:
            raise ConfigurationError(f"the fraction must lie between 0 and 1, not {self.fraction}", "--offload")
        if self.choice not in get_args(Choice):
            fault = Fault("--choose", f"there is no choice {self.choice!r}", nearest(self.choice, get_args(Choice)))
            raise ConfigurationError([fault], "--choose")

    @classmethod
    def parse(cls, text: str, choice: str = "random", seed: int = 1) -> Offload:
        """Of "70:0.9", a number of algorithms and a fraction."""
        number, _, fraction = text.partition(":")
        try:
            given = int(number), float(fraction)
        except ValueError:
            hint = "70:0.9 has 70 algorithms away for nine tenths of their time"
            raise ConfigurationError([Fault("--offload", f"must be N:F, not {text!r}", hint)], "--offload") from None
        return cls(*given, choice, seed)  # type: ignore[arg-type]  # checked when made, with the nearest name

    def chosen(self, names: Sequence[str], times: Mapping[str, float]) -> tuple[str, ...]:
        """The algorithms that are away, of those named."""
        if self.number > len(names):
            raise ConfigurationError(f"{self.number} of {len(names)} algorithms cannot be away", "--offload")
        if self.choice == "longest":
            return tuple(sorted(names, key=lambda name: -times.get(name, 0.0))[: self.number])
        return tuple(Random(self.seed).sample(names, self.number))
