"""The plan of a job: who needs what, who waits for which filter, in which order; or every fault at once.

A node is a module or an output of the job. A node on a path is sure to run once all filters before it on
one of its paths have passed; every other module is sure to run once one of its readers is. Outputs, and
analyzers that are on no path, run after all paths. A node that is sure to run waits for its inputs, and
for nothing else. All of this is compiled here; nothing is searched while events run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, cast

from eventbraid.errors import ConfigurationError, Fault, ProductError, nearest
from eventbraid.event import ABSENT, NO_PRODUCTS, EventID, Input, Output, is_plain
from eventbraid.external_work import ExternalModule
from eventbraid.job import Job
from eventbraid.module import Analyzer, Module, OnError
from eventbraid.order import closure, find_cycle, topological
from eventbraid.outputs.base import OutputModule
from eventbraid.products import Product, ProductTable, make_products, resolve
from eventbraid.roster import Candidate, make_roster

__all__ = ["Node", "Path", "Plan", "make_plan"]


@dataclass(frozen=True, slots=True)
class Node:
    """A module or an output of the job, with all that the schedulers must know of it."""

    index: int
    label: str
    module: Module | OutputModule
    needs: tuple[int, ...]
    """The nodes whose products it reads."""
    reads: tuple[int, ...]
    """The slots that it reads."""
    writes: tuple[int, ...]
    """The slots that it puts."""
    readers: tuple[int, ...]
    """The nodes that read its products."""
    path: str
    """The first path that it serves, for messages; empty for none."""
    runs: bool
    """False for what no path names and nothing that runs reads."""
    on_path: bool
    ending: bool
    """Runs after all paths have ended."""
    select: tuple[str, ...]
    external: bool
    decides: bool
    on_error: OnError
    wakes: tuple[int, ...]
    """The producers on demand that are sure to run when this node is, itself not included."""
    spoils: tuple[int, ...]
    """The readers that fail when this node does: those that need one of its products."""
    frees: bool
    """It reads or puts a product that is worth dropping early."""
    step: str
    """The name of its final step."""
    bounded: bool
    """Not every call may start at once."""
    guarded: bool
    """Its steps have a timeout, or go to a thread."""


@dataclass(frozen=True, slots=True)
class Path:
    """A path: its nodes in order, cut into stages, each of which ends with a filter but the last."""

    name: str
    elements: tuple[int, ...]
    stages: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run for every event of a job.

    Nodes are numbered in the order of starting, what leads to external work first; the first `used` of
    them may run, what never does comes behind.
    """

    name: str
    nodes: tuple[Node, ...]
    used: int
    outputs: tuple[int, ...]
    """The node of each output of the job."""
    paths: tuple[Path, ...]
    slots: Mapping[str, int]
    size: int
    """The number of product slots."""
    blank: list[Any]
    """The products of an event before the source has put its own."""
    source_slots: Mapping[str, int]
    """The slots of the source's products, which are the first ones, in the order of their declaration."""
    source_names: tuple[str, ...]
    source_is_plain: bool
    """All of them are declared as plain numbers or strings."""
    heavy: frozenset[int]
    """The slots of products that are worth dropping early: all but plain numbers and strings."""
    walk: int
    """So many nodes at the head run for every event and never wait but for the nodes before."""
    on_error: OnError
    warnings: tuple[str, ...]
    lumis: int
    """Luminosity sections that may be open at once; 0 where no module wants to know of sections."""
    runs: int
    deadline: float | None
    """Seconds from an event's reading to its end, after which it is given up."""
    cases: Mapping[str, str] = field(default_factory=dict[str, str])
    """For the label of each switch the case that was chosen."""
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    """For each alias the label of its module."""
    seed: int = 1

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each node."""
        return tuple(node.label for node in self.nodes)

    def explain_absent(self, token: Input[Any], event: EventID) -> ProductError:
        """Why a product cannot be read."""
        if token.slot < 0:
            return ProductError(f"input {token.name!r} belongs to no running job: read it through the module itself")
        reading = f"input {token.name!r} reads {token.label!r}, which is absent from event {event}: "
        dropped = ", or it was dropped after its last reader" if token.slot in self.heavy else ""
        for node in self.nodes:
            if token.slot in node.writes:
                return ProductError(
                    f"{reading}{node.label!r} put no such product{dropped}, or did not run; "
                    f"read it with event.get() where that is to be expected"
                )
        return ProductError(f"{reading}the source put no such product in this event{dropped}")

    def explain_put(self, token: Output[Any], event: EventID) -> ProductError:
        """Why a product cannot be put."""
        if token.slot < 0:
            return ProductError(f"output {token.name!r} belongs to no running job: put it through the module itself")
        return ProductError(f"output {token.name!r} was put twice in event {event}; a product is put once")


def make_plan(job: Job) -> Plan:
    """Compile a job; raises `ConfigurationError` with every fault that the job has."""
    if faults := job.shape_faults():
        raise ConfigurationError(faults, f"job {job.name!r}")
    faults = job.faults()
    faults += _label_faults(job.modules)
    roster, found = make_roster(job.modules, job.available())
    faults += found
    candidates = [*roster.chosen.values(), *roster.others]
    for each in candidates:
        faults += _module_faults(each.where, each.module)
        faults += _select_faults(each.where, each.label, each.module, job)
    faults += _twice(candidates)
    job = replace(job, modules=roster.modules)
    labels = list(roster.chosen)
    places = [each.where for each in roster.chosen.values()]
    modules: list[Module | OutputModule] = list(roster.modules.values())
    for number, output in enumerate(cast("Sequence[Any]", job.outputs)):
        label = f"output {number + 1} ({type(output).__name__})"
        labels.append(label)
        places.append(label)
        modules.append(output)
        faults += _select_faults(label, label, output, job)
        if isinstance(output, OutputModule):
            faults += _relabel(label, output.faults())
        else:
            faults.append(Fault(label, f"is not an output: {output!r}"))
    faults += _relabel("source", job.source.faults())

    table, found = make_products(job.source, roster)
    faults += found
    reads: list[tuple[Product, ...]] = []
    for place, module in zip(places, modules, strict=True):
        products, found = resolve(place, module, table)
        reads.append(products)
        faults += found
    asked = {label: {product.producer for product in products} for label, products in zip(labels, reads, strict=True)}
    for each in roster.others:
        products, found = resolve(each.where, each.module, table)
        asked[each.label] |= {product.producer for product in products}
        faults += found
    faults += _path_faults(job, roster.aliases, asked)
    faults += _cycle_faults(job, reads, labels)
    if faults:
        raise ConfigurationError(faults, f"job {job.name!r}")
    plan = _compile(job, labels, modules, table, reads)
    return replace(plan, cases=roster.cases, aliases=roster.aliases, seed=job.seed)


def _relabel(label: str, faults: Iterable[Fault]) -> list[Fault]:
    return [Fault(label, fault.what, fault.hint) for fault in faults]


def _label_faults(labels: Iterable[object]) -> Iterator[Fault]:
    for label in labels:
        if not str(label).isidentifier():
            what = "a label must be a name: letters, digits and underscores, not beginning with a digit"
            yield Fault(f"module {label!r}", what)


def _module_faults(where: str, module: object) -> list[Fault]:
    if not isinstance(module, Module):
        made = "the class itself: write it with parentheses" if isinstance(module, type) else repr(module)
        return [Fault(where, f"must be a Producer, Filter or Analyzer, not {made}")]
    faults = _relabel(where, module.faults())
    faults += [Fault(where, f"{type(module).__name__} {what}") for what in type(module).class_faults()]
    return faults


def _twice(candidates: Iterable[Candidate]) -> Iterator[Fault]:
    first: dict[int, str] = {}
    for each in candidates:
        if id(each.module) in first:
            yield Fault(each.where, f"is the very object of {first[id(each.module)]}; make two")
        first.setdefault(id(each.module), each.where)


def _path_faults(job: Job, aliases: Mapping[str, str], asked: Mapping[str, set[int]]) -> Iterator[Fault]:
    """What is wrong with the paths; `asked` has for each label the nodes that it reads, in any of its cases."""
    index = {label: number for number, label in enumerate(job.modules)}
    for name, elements in job.paths.items():
        where = f"path {name!r}"
        if isinstance(elements, str):
            yield Fault(where, f"must be a list of labels, not the string {elements!r}")
            continue
        seen: set[str] = set()
        for element in elements:
            if element in aliases:
                yield Fault(where, f"names the alias {element!r}", f"name the module: {aliases[element]!r}")
                continue
            if element not in job.modules:
                yield Fault(where, f"there is no module {element!r}", nearest(str(element), job.modules))
                continue
            if element in seen:
                yield Fault(where, f"names {element!r} twice")
            later = asked[element] - {index[each] for each in seen}
            for other in elements[list(elements).index(element) + 1 :]:
                if other in index and index[other] in later:
                    yield Fault(where, f"{element!r} reads {other!r}, which comes after it", f"put {other!r} first")
            seen.add(element)


def _cycle_faults(job: Job, reads: Sequence[tuple[Product, ...]], labels: Sequence[str]) -> Iterator[Fault]:
    if _before_faults(job):
        return
    needs = [[product.producer for product in products if product.producer >= 0] for products in reads]
    gates = _gates(job, {label: number for number, label in enumerate(job.modules)}, len(labels))
    if cycle := find_cycle([[*need, *gate] for need, gate in zip(needs, gates, strict=True)]):
        names = [labels[node] for node in reversed(cycle)]
        yield Fault(f"job {job.name!r}", f"modules wait for each other: {' -> '.join([*names, names[0]])}")


def _before_faults(job: Job) -> bool:
    """True when a path is so wrong that no order can be looked for."""
    return any(
        isinstance(elements, str) or any(element not in job.modules for element in elements)
        for elements in job.paths.values()
    )


def _gates(job: Job, index: Mapping[str, int], size: int) -> list[list[int]]:
    """For each node the filters before it on its paths."""
    gates: list[list[int]] = [[] for _ in range(size)]
    for elements in job.paths.values():
        filters: list[int] = []
        for element in elements:
            gates[index[element]] += filters
            if getattr(job.modules[element], "decides", False):
                filters.append(index[element])
    return gates


def _select_faults(where: str, label: str, module: object, job: Job) -> Iterator[Fault]:
    for path in getattr(module, "select", ()):
        if path not in job.paths:
            hint = nearest(path, job.paths) or "the job has no paths"
            yield Fault(where, f"selects the unknown path {path!r}", hint)
    on_path = any(label in elements for elements in job.paths.values() if not isinstance(elements, str))
    if on_path and isinstance(module, Analyzer) and module.settings().get("select"):
        yield Fault(where, "is on a path and selects paths; take it off the path, or drop select")


def _compile(
    job: Job,
    labels: Sequence[str],
    modules: Sequence[Module | OutputModule],
    table: ProductTable,
    reads: Sequence[tuple[Product, ...]],
) -> Plan:
    index = {label: number for number, label in enumerate(labels)}
    nodes = range(len(labels))
    needs = [sorted({product.producer for product in each if product.producer >= 0}) for each in reads]
    readers: list[list[int]] = [[] for _ in nodes]
    for node in nodes:
        for need in needs[node]:
            readers[need].append(node)
    on_path = {index[element] for elements in job.paths.values() for element in elements}
    ending = {
        node
        for node, module in enumerate(modules)
        if node not in on_path and isinstance(module, (Analyzer, OutputModule))
    }
    roots = on_path | ending
    used = closure(roots, needs)
    demanded = [[need for need in each if need not in roots] for each in needs]
    wakes = [sorted(closure(demanded[node], demanded)) for node in nodes]

    external = {node for node, module in enumerate(modules) if isinstance(module, ExternalModule)}
    gates = _gates(job, index, len(labels))
    before = [[*need, *gate] for need, gate in zip(needs, gates, strict=True)]
    for node in ending:
        before[node] = [*before[node], *on_path]
    followers: list[list[int]] = [[] for _ in nodes]
    for node in nodes:
        for each in before[node]:
            followers[each].append(node)
    leads = [not external.isdisjoint(closure([node], followers)) for node in nodes]
    order = topological(before, [0 if lead else 1 for lead in leads])
    order = [*(node for node in order if node in used), *(node for node in order if node not in used)]
    place = {node: number for number, node in enumerate(order)}

    def moved(several: Iterable[int]) -> tuple[int, ...]:
        return tuple(sorted(place[node] for node in several))

    heavy = {product.slot for product in table.products.values() if not is_plain(product.type)}
    serving = _serving(job, index, wakes)
    made: list[Node] = []
    for node in order:
        module = modules[node]
        slots = tuple(sorted({product.slot for product in reads[node]}))
        writes = table.written.get(node, ())
        after = [each for each in readers[node] if each in used]
        made.append(
            Node(
                index=place[node],
                label=labels[node],
                module=module,
                needs=moved(needs[node]),
                reads=slots,
                writes=writes,
                readers=moved(after),
                path=serving.get(node, ""),
                runs=node in used,
                on_path=node in on_path,
                ending=node in ending,
                select=tuple(getattr(module, "select", ())) if node in ending else (),
                external=node in external,
                decides=bool(getattr(module, "decides", False)),
                on_error=getattr(module, "on_error", None) or job.on_error,
                wakes=moved(wakes[node]),
                spoils=moved(each for each in after if not _tolerates(modules[each], node, table)),
                frees=not heavy.isdisjoint((*slots, *writes)),
                step=module._steps[-1] if isinstance(module, Module) else "write",
                bounded=_is_bounded(module),
                guarded=_is_guarded(module),
            )
        )
    paths = tuple(
        _path(name, [place[index[element]] for element in elements], made) for name, elements in job.paths.items()
    )
    return Plan(
        name=job.name,
        nodes=tuple(made),
        used=len(used),
        outputs=tuple(place[node] for node in range(len(job.modules), len(modules))),
        paths=paths,
        slots={name: product.slot for name, product in table.products.items()},
        size=table.size,
        blank=[*[ABSENT] * table.size, *NO_PRODUCTS],
        source_slots=table.source_slots,
        source_names=tuple(table.source_slots),
        source_is_plain=heavy.isdisjoint(table.source_slots.values()),
        heavy=frozenset(heavy),
        walk=_walk(made[: len(used)], paths),
        on_error=job.on_error,
        warnings=tuple(_warnings(job, [made[place[node]] for node in nodes])),
        lumis=_lumis(job, [node.module for node in made[: len(used)]]),
        runs=job.concurrent_runs,
        deadline=job.deadline,
    )


def _is_bounded(module: Module | OutputModule) -> bool:
    return isinstance(module, Module) and (
        module.kind == "serial" or module.limit is not None or bool(module.resources)
    )


def _is_guarded(module: Module | OutputModule) -> bool:
    return isinstance(module, Module) and (
        module.offload or module.module_timeout is not None or module.external_timeout is not None
    )


def _tolerates(reader: Module | OutputModule, producer: int, table: ProductTable) -> bool:
    """True when a module reads all that it reads of a producer by optional inputs."""
    return isinstance(reader, Module) and all(
        token.optional for token in reader.tokens() if table.products[token.label].producer == producer
    )


def _serving(job: Job, index: Mapping[str, int], wakes: Sequence[Sequence[int]]) -> dict[int, str]:
    serving: dict[int, str] = {}
    for name, elements in job.paths.items():
        for element in elements:
            serving.setdefault(index[element], name)
    for name, elements in job.paths.items():
        for element in elements:
            for node in wakes[index[element]]:
                serving.setdefault(node, name)
    return serving


def _path(name: str, elements: Sequence[int], nodes: Sequence[Node]) -> Path:
    cuts = [0, *(place + 1 for place, node in enumerate(elements) if nodes[node].decides), len(elements)]
    stages = tuple(tuple(elements[first:last]) for first, last in pairwise(cuts))
    return Path(name, tuple(elements), tuple(stage for stage in stages if stage))


def _walk(nodes: Sequence[Node], paths: Sequence[Path]) -> int:
    """How many nodes at the head no filter, no bound and no external work interrupts."""
    certain = {node for path in paths if path.stages for node in path.stages[0]}
    if not any(path.elements for path in paths):  # what runs after all paths begins at once
        certain |= {node.index for node in nodes if node.ending and not node.select}
    certain |= {woken for node in certain for woken in nodes[node].wakes}
    for node in nodes:
        if node.index not in certain or node.ending or node.external or node.decides or node.bounded:
            return node.index
    return len(nodes)


def _lumis(job: Job, modules: Sequence[Module | OutputModule]) -> int:
    """A serial module that follows sections is one that sees them one after the other."""
    followers = [module for module in modules if isinstance(module, Module) and module.follows_sections()]
    if not followers:
        return 0
    return 1 if any(module.kind == "serial" for module in followers) else job.concurrent_lumis


def _warnings(job: Job, nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        if not node.runs:
            yield f"module {node.label!r} will not run: no path names it, nothing that runs reads it"
    if not any(node.runs for node in nodes):
        yield f"job {job.name!r} runs nothing: it has no path, no analyzer and no output"
