"""Begin and end of a job for every copy of every module: an end runs if and only if its begin succeeded."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from eventbraid.copies import Stream, blame
from eventbraid.errors import EventbraidError, ModuleError
from eventbraid.module import Module
from eventbraid.plan import Node, Plan
from eventbraid.resources import Resources

__all__ = ["Transitions"]


class Transitions:
    """The copies that have begun, to be ended in the reverse order."""

    def __init__(self, plan: Plan, streams: Sequence[Stream]) -> None:
        self._begun: list[tuple[Node, Module]] = []
        self._copies: list[tuple[Node, Module]] = []
        seen: set[int] = set()
        used = set(plan.order)
        for stream in streams:
            for node in plan.nodes:
                module = stream.modules[node.index]
                if module is not None and node.index in used and id(module) not in seen:
                    seen.add(id(module))
                    self._copies.append((node, module))

    async def begin(self, resources: Resources) -> None:
        """Connect every copy to what the job shares, then begin it; raises at the first that fails."""
        for node, module in self._copies:
            try:
                await module._connect(resources)
            except EventbraidError as error:
                error.add_note(f"needed by module {node.label!r}")
                raise
        for node, module in self._copies:
            await _call(node, "begin_job", module.begin_job)
            self._begun.append((node, module))

    async def end(self) -> list[ModuleError]:
        """End every copy that has begun, in the reverse order, also when others fail."""
        errors: list[ModuleError] = []
        while self._begun:
            node, module = self._begun.pop()
            try:
                await _call(node, "end_job", module.end_job)
            except ModuleError as error:
                errors.append(error)
        return errors


async def _call(node: Node, step: str, method: Any) -> None:
    try:
        answer = method()
        if inspect.isawaitable(answer):
            await answer
    except Exception as error:
        raise blame(node, step, None, error) from error
