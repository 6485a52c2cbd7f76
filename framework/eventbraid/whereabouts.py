"""What events in flight wait for, and on which server."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from eventbraid.event import EventID

__all__ = ["Whereabouts", "server_of", "waiting_for", "waiting_on"]

_servers: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()
_helpers: WeakKeyDictionary[asyncio.Task[Any], Collection[asyncio.Task[Any]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What an event in flight waits for: a step of a module, since when, and on which server if that is known."""

    event: EventID
    number: int
    label: str
    """Empty where it waits for its turn, or for its section to begin."""
    step: str
    since: float
    """A time of `time.perf_counter`, in seconds."""
    server: str = ""


class waiting_on:  # noqa: N801  # used as a function is
    """Say that the current task waits on a server, for as long as the context lasts."""

    __slots__ = ("_before", "_server", "_task")

    def __init__(self, server: str) -> None:
        self._server = server

    def __enter__(self) -> None:
        self._task = task = asyncio.current_task()
        if task is not None:
            self._before = _servers.get(task, "")
            _servers[task] = self._server

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            _servers[self._task] = self._before


def server_of(task: asyncio.Task[Any]) -> str:
    """The server that a task, or one of those it waits for, waits on; empty where none said so."""
    inner = (server_of(each) for each in list(_helpers.get(task, ())))
    return next((server for server in inner if server), _servers.get(task, ""))


@contextmanager
def waiting_for(tasks: Collection[asyncio.Task[Any]]) -> Generator[None]:
    """Say that the current task waits for others, perhaps on the loops of other threads; they may become more."""
    task = asyncio.current_task()
    assert task is not None
    _helpers[task] = tasks
    try:
        yield
    finally:
        _helpers.pop(task, None)
