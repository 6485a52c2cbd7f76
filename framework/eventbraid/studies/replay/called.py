"""A job without a scheduler: its events read, its modules called one after the other. No scheduler can be faster.

What is left is the public contract: the source's entries, events, typed reads, products that are put once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from inspect import iscoroutinefunction
from time import perf_counter
from typing import Any

from eventbraid.calls import Threads
from eventbraid.copies import Copies
from eventbraid.errors import ConfigurationError
from eventbraid.event import Event, make_event
from eventbraid.job import Job
from eventbraid.outputs.base import Row
from eventbraid.plan import make_plan

__all__ = ["called_per_second"]


def called_per_second(job: Job, events: int) -> float:
    """Events a second of one core that calls every module of a job, in the order of the plan, and waits for nothing.

    The result of external work is what `acquire` gave. Filters and paths are passed over. Raises
    `ConfigurationError` for a module that awaits something in its own steps.
    """
    plan = make_plan(job)
    stream = Copies(plan, _keep_nothing, "blocking", Threads()).stream()
    calls: list[Callable[[Event], Any]] = []
    for node, acquire, final in zip(plan.nodes, stream.acquire, stream.final, strict=False):
        if iscoroutinefunction(acquire) or iscoroutinefunction(final):
            raise ConfigurationError("awaits something, so it cannot be called by itself", f"module {node.label!r}")
        calls.append(final if acquire is None else _in_turn(acquire, final))
    entries = itertools.islice(itertools.chain.from_iterable(job.source.partitions()), events)
    start = perf_counter()
    for number, entry in enumerate(entries):
        event = make_event(plan, entry, number)
        for call in calls:
            call(event)
    return events / (perf_counter() - start)


def _keep_nothing(output: int, event: int, row: Row) -> None:
    """In place of the job's outputs."""


def _in_turn(acquire: Callable[..., Any], final: Callable[..., Any]) -> Callable[[Event], Any]:
    return lambda event: final(event, acquire(event))
