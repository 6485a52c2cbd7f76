"""What a job is doing, as the service's messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any

from eventbraid.control.subject import Controlled
from eventbraid.event import PathState
from eventbraid.whereabouts import Whereabouts

__all__ = ["in_order", "state_of", "status_reply", "where_rows"]


def state_of(run: Controlled, *, ended: bool = False) -> str:
    """The state of the job in one word."""
    if ended:
        return "ended"
    if run.reason:
        return "stopping"
    if run.held:
        return "draining" if run.in_flight else "drained"
    return "running"


def status_reply(
    run: Controlled, messages: Any, recent_per_second: float = 0.0, *, ended: bool = False, where: int = 0
) -> Any:
    """What the job is doing now, and where so many of the oldest events in flight are."""
    ledger = run.ledger
    reply = messages.StatusReply(
        job=run.job.name,
        mode=run.mode,
        streams=run.streams,
        state=state_of(run, ended=ended),
        stopping=run.reason,
        seconds=run.seconds,
    )
    events = reply.events
    events.read, events.in_flight = ledger.read + run.in_flight, run.in_flight
    events.passed, events.failed = ledger.passed, ledger.failed
    events.not_selected = ledger.read - ledger.passed - ledger.failed
    events.per_second = ledger.read / run.seconds if run.seconds else 0.0
    events.recent_per_second = recent_per_second
    for name, counts in ledger.paths.items():
        reply.paths.add(name=name, **{state.name.lower(): counts[state] for state in PathState})
    if run.timing is None and not where:
        return reply
    found = run.whereabouts()
    waiting = Counter(each.label for each in found)
    for label, times in run.timing.by_label().items() if run.timing is not None else ():
        reply.modules.add(
            label=label,
            calls=times.calls,
            cpu_seconds=times.cpu_seconds,
            external_seconds=times.external_seconds,
            waiting=waiting[label],
        )
    reply.where.extend(where_rows(in_order(found)[:where], messages))
    return reply


def in_order(found: Iterable[Whereabouts]) -> list[Whereabouts]:
    """The oldest event first, within an event what began first."""
    return sorted(found, key=lambda each: (each.number, each.since))


def where_rows(found: Sequence[Whereabouts], messages: Any) -> list[Any]:
    """Where events are, as messages."""
    now = perf_counter()
    return [
        messages.Whereabouts(
            event=str(each.event),
            number=each.number,
            label=each.label,
            step=each.step,
            seconds=max(0.0, now - each.since),
            server=each.server,
        )
        for each in found
    ]
