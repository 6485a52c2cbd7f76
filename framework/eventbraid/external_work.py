"""Modules whose work is done elsewhere: acquire, external work, produce.

`acquire(event)` prepares, `external_work(acquired)` is awaited outside the module, the event and the CPU,
and `produce(event, result)` or `filter(event, result)` finishes. After CMSSW's ExternalWork: while one
event's work is away, the core works on other modules and other events; a serial module's turn is not held.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable
from typing import Final, Generic, TypeVar

from eventbraid.event import Event
from eventbraid.module import Module
from eventbraid.section import Section

__all__ = ["FLUSH_SECONDS", "ExternalFilter", "ExternalModule", "ExternalProducer"]

FLUSH_SECONDS: Final = 0.01
"""Until a module is told again to send what it holds back."""

Acquired = TypeVar("Acquired")
Result = TypeVar("Result")


class ExternalModule(Module, Generic[Acquired, Result]):
    """The base of ExternalProducer and ExternalFilter."""

    @classmethod
    def holds_back(cls) -> bool:
        """True for a class that has requests to flush."""
        return cls.flush_lumi is not ExternalModule.flush_lumi

    @classmethod
    def follows_sections(cls) -> bool:
        return super().follows_sections() or cls.holds_back()

    @abstractmethod
    def acquire(self, event: Event, /) -> Awaitable[Acquired] | Acquired:
        """Read the event and prepare what `external_work` takes."""
        raise NotImplementedError

    @abstractmethod
    async def external_work(self, acquired: Acquired, /) -> Result:
        """Do the work elsewhere; cancelled when the job is, or when its event is given up."""
        raise NotImplementedError

    def flush_lumi(self, lumi: Section, /) -> Awaitable[None] | None:
        """Send what is held back: no other event will come to this module until some of those here have ended.

        A module that collects the requests of several events overrides it. It is called when every event in
        flight of a luminosity section is past this module or in its external work, and no other can be read
        before: the section is over, or all streams are taken. It is called again while that lasts.
        """


class ExternalProducer(ExternalModule[Acquired, Result]):
    """Puts products from a result that was made elsewhere."""

    _steps = ("acquire", "external_work", "produce")

    @abstractmethod
    def produce(self, event: Event, result: Result, /) -> Awaitable[None] | None:
        """Put every output, from the event and the result of the external work."""
        raise NotImplementedError


class ExternalFilter(ExternalModule[Acquired, Result]):
    """Decides on a result that was made elsewhere; may also put products."""

    decides = True
    _steps = ("acquire", "external_work", "filter")

    @abstractmethod
    def filter(self, event: Event, result: Result, /) -> Awaitable[bool] | bool:
        """True when the event passes."""
        raise NotImplementedError
