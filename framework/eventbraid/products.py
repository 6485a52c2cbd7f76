"""The products of a job: their names, who makes them, and which of them each module reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eventbraid.errors import Fault, nearest
from eventbraid.fitting import fits, type_name
from eventbraid.module import Module
from eventbraid.outputs.base import OutputModule

if TYPE_CHECKING:
    from eventbraid.job import Job

__all__ = ["Product", "ProductTable", "make_products", "resolve"]

SOURCE = -1


@dataclass(frozen=True, slots=True)
class Product:
    """A product of the job: its slot in an event, the node that puts it (-1: the source), its type."""

    name: str
    slot: int
    producer: int
    type: Any


@dataclass(frozen=True, slots=True)
class ProductTable:
    """All products of a job by every name they can be read under."""

    products: Mapping[str, Product]
    size: int
    written: Mapping[int, tuple[int, ...]]
    source_slots: Mapping[str, int]
    several: Mapping[str, tuple[str, ...]]
    """For the label of a module without or with several outputs, the names to choose from."""


def make_products(job: Job) -> tuple[ProductTable, list[Fault]]:
    """Name every product: `label` for a module's only output, `label.output`, a source's by its bare name."""
    products: dict[str, Product] = {}
    source_slots: dict[str, int] = {}
    written: dict[int, tuple[int, ...]] = {}
    several: dict[str, tuple[str, ...]] = {}
    faults: list[Fault] = []
    slot = 0
    declare = getattr(job.source, "outputs", None)
    for name, output in declare() if declare is not None else ():
        products[name] = Product(name, slot, SOURCE, output.type)
        source_slots[name] = slot
        slot += 1
    for node, (label, module) in enumerate(job.modules.items()):
        if not isinstance(module, Module):  # pyright: ignore[reportUnnecessaryIsInstance]  # users are not typed
            continue  # type: ignore[unreachable]
        if label in source_slots:
            faults.append(Fault(f"module {label!r}", "has the name of a product of the source", "choose another label"))
            continue
        slots: list[int] = []
        outputs = list(module.outputs())
        for name, output in outputs:
            full = f"{label}.{name}"
            products[full] = Product(full, slot, node, output.type)
            if len(outputs) == 1:
                products[label] = Product(label, slot, node, output.type)
            slots.append(slot)
            slot += 1
        written[node] = tuple(slots)
        if len(outputs) != 1:
            several[label] = tuple(f"{label}.{name}" for name, _ in outputs)
    return ProductTable(products, slot, written, source_slots, several), faults


def resolve(label: str, module: Module | OutputModule, table: ProductTable) -> tuple[tuple[Product, ...], list[Fault]]:
    """The products that a module reads, or an output keeps, and what is wrong with how it names them."""
    found: list[Product] = []
    faults: list[Fault] = []
    where = f"module {label!r}" if isinstance(module, Module) else label
    for what, name, wanted in _wishes(module):
        product = table.products.get(name)
        if product is None:
            faults.append(Fault(where, *_unknown(what, name, table)))
            continue
        if not fits(product.type, wanted):
            given, expected = type_name(product.type), type_name(wanted)
            faults.append(Fault(where, f"{what} expects {expected}, but {name!r} is {given}"))
        found.append(product)
    return tuple(found), faults


def _wishes(module: object) -> Iterator[tuple[str, str, Any]]:
    if isinstance(module, Module):
        for token in module.tokens():
            if token.label:
                yield f"input {token.name!r}", token.label, token.type
    elif isinstance(module, OutputModule):
        for name in module.keep:
            yield "keep", name, Any


def _unknown(what: str, name: str, table: ProductTable) -> tuple[str, str]:
    if name in table.several:
        choices = table.several[name]
        if not choices:
            return f"{what} reads {name!r}, which puts no product", ""
        return f"{what} reads {name!r}, which has several outputs", f"choose one of {', '.join(choices)}"
    label, dot, _ = name.partition(".")
    if dot and (siblings := _siblings(label, table.products)):
        return f"{what} reads {name!r}, but {label!r} has no such output", nearest(name, siblings)
    return f"{what} reads {name!r}, which nothing puts", nearest(name, table.products)


def _siblings(label: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(f"{label}.")]
