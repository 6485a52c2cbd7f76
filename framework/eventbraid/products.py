"""The products of a job: their names, who makes them, and which of them each module reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from eventbraid.errors import Fault, nearest
from eventbraid.fitting import fits, type_name
from eventbraid.module import Module
from eventbraid.outputs.base import OutputModule
from eventbraid.roster import Roster
from eventbraid.sources.base import Source

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


def make_products(source: Source, roster: Roster) -> tuple[ProductTable, list[Fault]]:
    """Name every product: `label` for a module's only output, `label.output`, a source's by its bare name.

    An alias gives the products of its module these names over again. Nodes are numbered as in the roster.
    """
    products: dict[str, Product] = {}
    source_slots: dict[str, int] = {}
    written: dict[int, tuple[int, ...]] = {}
    several: dict[str, tuple[str, ...]] = {}
    faults: list[Fault] = []
    slot = 0
    declare = getattr(source, "outputs", None)
    for name, output in declare() if declare is not None else ():
        products[name] = Product(name, slot, SOURCE, output.type)
        source_slots[name] = slot
        slot += 1
    faults += [
        Fault(f"module {label!r}", "has the name of a product of the source", "choose another label")
        for label in (*roster.chosen, *roster.aliases)
        if label in source_slots
    ]
    for node, (label, module) in enumerate(roster.modules.items()):
        if label in source_slots or not isinstance(module, Module):  # pyright: ignore[reportUnnecessaryIsInstance]  # users are not typed
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
    for alias, label in roster.aliases.items():
        if alias not in source_slots:
            products |= dict(_renamed(label, alias, products))
            if label in several:
                several[alias] = tuple(f"{alias}.{name.partition('.')[2]}" for name in several[label])
    return ProductTable(products, slot, written, source_slots, several), faults


def _renamed(label: str, alias: str, products: Mapping[str, Product]) -> Iterator[tuple[str, Product]]:
    for name, product in products.items():
        first, dot, output = name.partition(".")
        if first == label:
            yield alias + dot + output, replace(product, name=alias + dot + output)


def resolve(where: str, module: Module | OutputModule, table: ProductTable) -> tuple[tuple[Product, ...], list[Fault]]:
    """The products that a module reads, or an output keeps, and what is wrong with how it names them."""
    found: list[Product] = []
    faults: list[Fault] = []
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
