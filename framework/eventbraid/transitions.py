"""Begin and end of a job for every copy of every module: an end runs if and only if its begin succeeded."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from eventbraid.copies import Stream, blame
from eventbraid.errors import EventbraidError, ModuleError
from eventbraid.module import Figure, Module
from eventbraid.plan import Node, Plan
from eventbraid.resources import Resources

__all__ = ["Transitions", "call"]


class Transitions:
    """The copies that have begun, to be ended in the reverse order."""

    def __init__(self, plan: Plan, streams: Sequence[Stream]) -> None:
        self._plan = plan
        self._begun: list[tuple[Node, Module]] = []
        self._seen: set[int] = set()
        self._streams = list(streams)
        self.figures: dict[str, Mapping[str, Figure]] = {}
        """What modules show once they have ended, by label."""

    def _copies(self, streams: Sequence[Stream]) -> list[tuple[Node, Module]]:
        """The copies that no earlier stream has."""
        copies: list[tuple[Node, Module]] = []
        for stream in streams:
            for node, module in zip(self._plan.nodes, stream.modules, strict=False):
                if module is not None and id(module) not in self._seen:
                    self._seen.add(id(module))
                    copies.append((node, module))
        return copies

    async def begin(self, resources: Resources) -> None:
        """Begin every copy of the first streams; see `add`."""
        await self.add(self._streams, resources)

    async def add(self, streams: Sequence[Stream], resources: Resources) -> None:
        """Connect every new copy to what the job shares, then begin it; raises at the first that fails."""
        copies = self._copies(streams)
        for node, module in copies:
            try:
                await module._connect(resources)
            except EventbraidError as error:
                error.add_note(f"needed by module {node.label!r}")
                raise
        for node, module in copies:
            await call(node, "begin_job", module.begin_job)
            self._begun.append((node, module))

    async def end(self) -> list[ModuleError]:
        """End every copy that has begun, in the reverse order, also when others fail."""
        errors: list[ModuleError] = []
        while self._begun:
            node, module = self._begun.pop()
            try:
                await call(node, "end_job", module.end_job)
                if type(module).figures is not Module.figures:
                    self.figures[node.label] = _figures(node, module)
            except ModuleError as error:
                errors.append(error)
        self.figures = dict(reversed(self.figures.items()))
        return errors


def _figures(node: Node, module: Module) -> Mapping[str, Figure]:
    try:
        return {str(name): _plain(value) for name, value in module.figures().items()}
    except Exception as error:
        raise blame(node, "figures", None, error) from error


def _plain(value: Any) -> Figure:
    """A number or a text of Python's own, as JSON has them."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, (int, float, str)):
        return value
    raise TypeError(f"a figure is a number or a text, not {type(value).__name__}")


async def call(node: Node, step: str, method: Any, *arguments: Any) -> None:
    """Call a begin or an end; raises `ModuleError` with what it raised."""
    try:
        answer = method(*arguments)
        if inspect.isawaitable(answer):
            await answer
    except Exception as error:
        raise blame(node, step, None, error) from error
