"""The roster of a job: which module takes part under which label, every switch decided, every alias followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from eventbraid.errors import Fault, nearest
from eventbraid.fitting import fits, type_name
from eventbraid.module import Analyzer, Module
from eventbraid.switch import Alias, Switch

__all__ = ["Candidate", "Roster", "make_roster"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A module that the job names: itself, or as the case of a switch."""

    label: str
    case: str
    """Empty for a module that is no case."""
    module: Module

    @property
    def where(self) -> str:
        """The module, for messages."""
        return f"module {self.label!r}" + (f" (case {self.case!r})" if self.case else "")


@dataclass(frozen=True, slots=True)
class Roster:
    """What a job's modules come down to."""

    chosen: Mapping[str, Candidate]
    """The module of each label but those of aliases."""
    others: tuple[Candidate, ...]
    """The cases that were not chosen."""
    aliases: Mapping[str, str]
    """For each alias the label that it stands for, which is none itself."""

    @property
    def modules(self) -> dict[str, Module]:
        """The modules that take part."""
        return {label: each.module for label, each in self.chosen.items()}

    @property
    def cases(self) -> dict[str, str]:
        """The chosen case of each switch."""
        return {label: each.case for label, each in self.chosen.items() if each.case}


def make_roster(modules: Mapping[str, object], available: Sequence[str]) -> tuple[Roster, list[Fault]]:
    """Decide every switch by what is available and follow every alias; what else is wrong is left to the plan.

    A switch without an available case stands with its first one, so that the job's other faults are found.
    """
    chosen: dict[str, Candidate] = {}
    others: list[Candidate] = []
    aliases: dict[str, str] = {}
    faults: list[Fault] = []
    for label, written in modules.items():
        if isinstance(written, Alias):
            target = _followed(label, modules)
            if isinstance(target, Fault):
                faults.append(target)
            elif target is not None:
                aliases[label] = target
        elif isinstance(written, Switch) and written.cases:
            cases = [Candidate(label, name, module) for name, module in written.cases.items()]
            faults += _case_faults(cases, available)
            chosen[label] = next((each for each in cases if each.case in available), cases[0])
            others += [each for each in cases if each is not chosen[label]]
        else:
            chosen[label] = Candidate(label, "", cast("Module", written))
    return Roster(chosen, tuple(others), aliases), faults


def _followed(label: str, modules: Mapping[str, Any]) -> str | Fault | None:
    """The label at the end of a chain of aliases; None where another alias of the chain has the fault."""
    where = f"module {label!r}"
    chain = [label]
    while isinstance(alias := modules[chain[-1]], Alias):
        target: str = alias.label
        if not _is_name(target) or target not in modules:
            hint = nearest(str(target), [name for name in modules if name != label])
            return Fault(where, f"is an alias of {target!r}, which is no module", hint) if len(chain) == 1 else None
        if target in chain:
            loop = " -> ".join([*chain, label])
            return Fault(where, f"is an alias of itself: {loop}", "name a module") if target == label else None
        chain.append(alias.label)
    return chain[-1]


def _case_faults(cases: Sequence[Candidate], available: Sequence[str]) -> Iterator[Fault]:
    """What is wrong with the cases of one switch beside each other."""
    if not any(each.case in available for each in cases):
        named, there = _quoted(each.case for each in cases), _quoted(available) or "nothing"
        yield Fault(
            f"module {cases[0].label!r}",
            f"no case is available: the cases are {named}, there is {there}",
            "add a case, or say what there is with the job's accelerators",
        )
    for each in cases:
        if not each.case.isidentifier():
            yield Fault(each.where, "a case must be a name: letters, digits and underscores")
    sound = [each for each in cases if _is_module(each.module)]
    for other in sound[1:]:
        yield from _differences(sound[0], other)


def _is_name(value: object) -> bool:
    return isinstance(value, str)


def _is_module(value: object) -> bool:
    return isinstance(value, Module)


def _quoted(names: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _differences(first: Candidate, other: Candidate) -> Iterator[Fault]:
    """In what two cases of a switch are not of one kind."""
    if _sort(first.module) != _sort(other.module):
        hint = "the cases are all producers, all filters or all analyzers"
        yield Fault(other.where, f"is {_sort(other.module)}, but case {first.case!r} is {_sort(first.module)}", hint)
    given = {name: output.type for name, output in other.module.outputs()}
    wanted = {name: output.type for name, output in first.module.outputs()}
    for name in wanted:
        if name not in given:
            yield Fault(other.where, f"has no output {name!r}, but case {first.case!r} has", nearest(name, given))
    for name, declared in given.items():
        if name not in wanted:
            yield Fault(other.where, f"has an output {name!r}, but case {first.case!r} has not", nearest(name, wanted))
        elif not (fits(declared, wanted[name]) and fits(wanted[name], declared)):
            types = type_name(declared), type_name(wanted[name])
            yield Fault(other.where, f"output {name!r} is {types[0]}, but in case {first.case!r} {types[1]}")


def _sort(module: Module) -> str:
    return "a filter" if module.decides else "an analyzer" if isinstance(module, Analyzer) else "a producer"
