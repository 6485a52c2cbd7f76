"""What may stand for a module in a job: a choice by what is available, and another name for a module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eventbraid.module import Module

__all__ = ["Alias", "Switch"]


class Switch:
    """A module that is chosen when the job is planned: the first case, in the order written, that is available.

    `Switch(gpu=TracksOnGpu(), cpu=Tracks())`. A case is available if its name is among the job's
    `accelerators`. All cases have outputs of the same names and fitting types, and all are producers,
    filters or analyzers; after CMSSW's SwitchProducer. The chosen one has the label of the switch; the others
    are not made and what they read is not consumed, but what is wrong with them is told.
    """

    __slots__ = ("cases",)

    def __init__(self, /, **cases: Module) -> None:
        self.cases: Mapping[str, Module] = MappingProxyType(cases)

    def with_case(self, name: str, module: Module) -> Switch:
        """The same switch with another module for a case."""
        return Switch(**{**self.cases, name: module})

    def __repr__(self) -> str:
        return f"Switch({', '.join(f'{name}={module!r}' for name, module in self.cases.items())})"


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for the products of a module or a switch: `"energies": Alias("facile")`.

    `energies` is then read as `facile`, `energies.out` as `facile.out`. After CMSSW's EDAlias.
    """

    label: str
