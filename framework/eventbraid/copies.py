"""The copies of the modules that run: one of each for a stream, or one for all, bound to a plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from eventbraid.calls import Allowance, Call, Threads, TimedOut, offloaded, threaded, within
from eventbraid.errors import ModuleError
from eventbraid.event import Event, EventID
from eventbraid.external_work import ExternalModule
from eventbraid.job import Mode
from eventbraid.module import Module
from eventbraid.outputs.base import OutputModule, Row
from eventbraid.plan import Node, Plan
from eventbraid.straight import straight

__all__ = ["Collect", "Copies", "Stream", "blame", "late", "wrong_answer"]

Collect: TypeAlias = Callable[[int, int, Row], None]
"""Takes what an output keeps of an event: output number, event number, row."""
Calls: TypeAlias = "tuple[Call | None, Call | None, Call]"
"""Acquire, external work and the final step of a module."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What an event in flight calls: for each node of the plan the bound methods of its copy."""

    number: int
    modules: tuple[Module | None, ...]
    """The copies, None for an output."""
    acquire: tuple[Call | None, ...]
    work: tuple[Callable[[Any], Awaitable[Any]] | None, ...]
    final: tuple[Call, ...]
    spent: dict[int, float]
    """CPU seconds that nodes have spent in other threads and that nobody has been told of."""


class Copies:
    """Makes the streams of a job: copies of every module that may run, their tokens bound to the plan's slots."""

    def __init__(self, plan: Plan, collect: Collect, mode: Mode, threads: Threads) -> None:
        self._plan = plan
        self._collect = collect
        self._mode = mode
        self._threads = threads
        self._first: dict[int, Module] = {}
        """The first copy of each node, bound to the plan's slots."""
        self._made = 0

    def stream(self) -> Stream:
        """One more stream."""
        modules: list[Module | None] = []
        acquire: list[Call | None] = []
        work: list[Callable[[Any], Awaitable[Any]] | None] = []
        final: list[Call] = []
        spent: dict[int, float] = {}
        for node in self._plan.nodes[: self._plan.used]:
            if isinstance(node.module, OutputModule):
                modules.append(None)
                acquire.append(None)
                work.append(None)
                final.append(_collector(self._plan, node, node.module, self._collect))
                continue
            copy = self._copy(node, node.module)
            external: Any = copy if node.external else None
            calls = (
                external and straight(external.acquire),
                external and external.external_work,
                straight(getattr(copy, node.step)),
            )
            if node.guarded or (node.external and self._mode == "threads"):
                calls = self._guarded(node, copy, calls, spent)
            modules.append(copy)
            acquire.append(calls[0])
            work.append(calls[1])
            final.append(calls[2])
        self._made += 1
        return Stream(self._made - 1, tuple(modules), tuple(acquire), tuple(work), tuple(final), spent)

    def _copy(self, node: Node, prototype: Module) -> Module:
        first = self._first.get(node.index)
        if first is None:
            first = self._first[node.index] = prototype.remake() if prototype.kind == "stream" else prototype
            _bind(first, node.label, self._plan)
            return first
        return first._for_stream() if prototype.kind == "stream" else first

    def _guarded(self, node: Node, module: Module, calls: Calls, spent: dict[int, float]) -> Calls:
        """The calls of a module that goes to a thread or has a timeout."""
        acquire, work, final = calls
        if module.offload and self._mode != "blocking":
            acquire = acquire and offloaded(acquire, self._threads, node.index, spent)
            final = offloaded(final, self._threads, node.index, spent)
        # What a module collects over events belongs to one loop.
        holds_back = isinstance(module, ExternalModule) and module.holds_back()
        if work is not None and self._mode == "threads" and not holds_back:
            work = threaded(work, self._threads)
        if work is not None and module.external_timeout is not None:
            work = within(work, module.external_timeout, "the external work")
        if (seconds := module.module_timeout) is not None:
            allowance = Allowance(seconds)
            acquire = acquire and within(acquire, seconds, "the module", allowance)
            work = work and within(work, seconds, "the module", allowance, first=False)
            final = within(final, seconds, "the module", allowance, first=acquire is None)
        return acquire, work, final


def _bind(module: Module, label: str, plan: Plan) -> None:
    module._label = label
    for token in module.tokens():
        token.slot = plan.slots[token.label]
    for name, _ in module.outputs():
        getattr(module, name).bind(plan.slots[f"{label}.{name}"])


def _collector(plan: Plan, node: Node, output: OutputModule, collect: Collect) -> Callable[[Event], None]:
    slots = {name: plan.slots[name] for name in output.keep}
    number = plan.outputs.index(node.index)

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


def late(plan: Plan, node: int, step: str, event: EventID) -> ModuleError:
    """The deadline of an event passed while this step of a node was under way."""
    return blame(plan.nodes[node], step, event, TimedOut(f"the event's deadline of {plan.deadline:g} s passed"))


def wrong_answer(node: Node, value: object) -> TypeError | None:
    """What is wrong with a final step's answer: a filter says True or False, all others nothing."""
    if node.decides:
        if value is None or isinstance(value, str):
            return TypeError(f"{node.step}() returned {value!r}; a filter returns True or False")
        return None
    if value is not None:
        return TypeError(f"{node.step}() returned {type(value).__name__}; put products with event[self.name] = ...")
    return None
