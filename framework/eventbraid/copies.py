"""The copies of the modules that run: one of each for a stream, or one for all, bound to a plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from eventbraid.errors import ModuleError
from eventbraid.event import Event, EventID
from eventbraid.module import Module
from eventbraid.outputs.base import OutputModule, Row
from eventbraid.plan import Node, Plan

__all__ = ["Collect", "Stream", "blame", "make_streams", "wrong_answer"]

Collect: TypeAlias = Callable[[int, int, Row], None]
"""Takes what an output keeps of an event: output number, event number, row."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What an event in flight calls: for each node of the plan the bound methods of its copy."""

    number: int
    modules: tuple[Module | None, ...]
    """The copies, None for an output."""
    acquire: tuple[Callable[[Event], Any] | None, ...]
    work: tuple[Callable[[Any], Awaitable[Any]] | None, ...]
    final: tuple[Callable[..., Any], ...]


def make_streams(plan: Plan, streams: int, collect: Collect) -> list[Stream]:
    """Copies of every module that may run, their tokens bound to the plan's slots."""
    shared: dict[int, Module] = {}
    return [_stream(plan, number, shared, collect) for number in range(streams)]


def _stream(plan: Plan, number: int, shared: dict[int, Module], collect: Collect) -> Stream:
    modules: list[Module | None] = []
    acquire: list[Callable[[Event], Any] | None] = []
    work: list[Callable[[Any], Awaitable[Any]] | None] = []
    final: list[Callable[..., Any]] = []
    for node in plan.nodes:
        prototype = node.module
        if isinstance(prototype, OutputModule):
            modules.append(None)
            acquire.append(None)
            work.append(None)
            final.append(_collector(plan, node, prototype, collect))
            continue
        copy = shared.get(node.index)
        if copy is None:
            copy = prototype._for_stream()
            _bind(copy, node.label, plan)
            if prototype.kind != "stream":
                shared[node.index] = copy
        external: Any = copy if node.external else None
        modules.append(copy)
        acquire.append(external and external.acquire)
        work.append(external and external.external_work)
        final.append(getattr(copy, node.step))
    return Stream(number, tuple(modules), tuple(acquire), tuple(work), tuple(final))


def _bind(module: Module, label: str, plan: Plan) -> None:
    module._label = label
    for token in module.tokens():
        token.slot = plan.slots[token.label]
    for name, _ in module.outputs():
        getattr(module, name).bind(plan.slots[f"{label}.{name}"])


def _collector(plan: Plan, node: Node, output: OutputModule, collect: Collect) -> Callable[[Event], None]:
    slots = {name: plan.slots[name] for name in output.keep}
    number = sum(isinstance(each.module, OutputModule) for each in plan.nodes[: node.index])

    def collect_row(event: Event) -> None:
        kept = {name: event._peek(slot) for name, slot in slots.items()}
        collect(number, event.number, Row(event.id, kept, event.path_results))

    return collect_row


def blame(node: Node, step: str, event: EventID | None, error: BaseException) -> ModuleError:
    """What a module raised, with its label, step, path and event."""
    kind = type(error).__name__
    text = str(error.args[0]) if isinstance(error, ModuleError) and error.args else str(error)
    message = text if isinstance(error, ModuleError) else f"{kind}: {text}" if text else kind
    made = ModuleError(message, label=node.label, step=step, event=event, path=node.path)
    made.__cause__ = error
    return made


def wrong_answer(node: Node, value: object) -> TypeError | None:
    """What is wrong with a final step's answer: a filter says True or False, all others nothing."""
    if node.decides:
        if value is None or isinstance(value, str):
            return TypeError(f"{node.step}() returned {value!r}; a filter returns True or False")
        return None
    if value is not None:
        return TypeError(f"{node.step}() returned {type(value).__name__}; put products with event[self.name] = ...")
    return None
