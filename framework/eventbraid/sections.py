"""Runs and luminosity sections of a job: what begins and ends when, as events of them come and go.

A section begins for the modules of which there is one copy, then for each stream when it carries its first
event of it. It is closed when the source has moved on, and over when its last event has ended: then it ends
for the streams, then for the modules of one copy, each in the reverse order of beginning. The luminosity
sections of a run lie within it. An end is called if and only if its begin succeeded, whatever other ends do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias

from eventbraid.copies import Stream
from eventbraid.errors import ModuleError
from eventbraid.event import EventID
from eventbraid.module import Module
from eventbraid.plan import Node, Plan
from eventbraid.section import Section
from eventbraid.transitions import call

__all__ = ["Block", "Sections", "Work"]

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]
"""A begin or an end, to be called and awaited."""


class Block:
    """A run or a luminosity section from its begin to its end."""

    __slots__ = ("begin", "begun", "closed", "error", "inside", "outer", "section", "streams")

    def __init__(self, section: Section, outer: Block | None) -> None:
        self.section = section
        self.outer = outer
        """The run of a luminosity section."""
        self.inside = 0
        """Events, or luminosity sections of a run, that have not ended."""
        self.closed = False
        self.begin = asyncio.Event()
        self.error: ModuleError | None = None
        """What made its begin fail: then none of its events can be processed."""
        self.begun: list[tuple[Node, Module]] = []
        """The modules of one copy that have begun."""
        self.streams: dict[int, list[tuple[Node, Module]]] = {}
        """The streams that are in it, with the copies that have begun."""

    @property
    def over(self) -> bool:
        """True when nothing of it is left but its end."""
        return self.closed and self.inside == 0

    @property
    def level(self) -> str:
        """What its begins and ends are called after."""
        return "run" if self.outer is None else "lumi"

    def __repr__(self) -> str:
        return f"Block({self.section}, {self.inside} inside{', closed' if self.closed else ''})"


class Sections:
    """Opens, begins and ends sections. What takes time is given to `start`."""

    def __init__(self, plan: Plan, stream: Stream, start: Callable[[Work], object]) -> None:
        self._start = start
        self._nodes = plan.nodes[: plan.used]
        self._single = {name: self._copies(stream, name, single=True) for name in ("lumi", "run")}
        self._lumis = asyncio.Semaphore(plan.lumis)
        self._runs = asyncio.Semaphore(plan.runs)
        self._one_begins = asyncio.Lock()
        self._locks: dict[int, asyncio.Lock] = {}
        self._lumi_of: dict[int, Block] = {}
        """The luminosity section that each stream is in."""
        self._run_of: dict[int, Block] = {}
        self._lumi: Block | None = None
        self._run: Block | None = None
        self.open: list[Block] = []
        """Every section that has not ended, in the order of opening."""
        self.calling: set[asyncio.Task[Any] | None] = set()
        """Tasks that are in a begin or an end; when the job is cancelled they are let finish it, and nothing else."""
        self._abandoned = False
        self.errors: list[ModuleError] = []
        """What begins and ends have raised."""

    def _copies(self, stream: Stream, level: str, *, single: bool) -> list[tuple[Node, Module]]:
        """The copies of a stream, or those of which there is one, that have a begin or an end at a level."""
        return [
            (node, module)
            for node, module in zip(self._nodes, stream.modules, strict=True)
            if module is not None and (module.kind != "stream") == single and _follows(module, level)
        ]

    def block(self, id_: EventID) -> Block:
        """The luminosity section of an event, or the run where lumi is 0; a new one closes the one before."""
        lumi, run = self._lumi, self._run
        if run is None or run.section.id.run != id_.run:
            self._close(lumi)
            self._close(run)
            lumi = self._lumi = None
            run = self._run = self._open(Section(EventID(id_.run, 0, 0)), None)
        if not (id_.lumi or id_.event):
            return run
        if lumi is None or lumi.section.id.lumi != id_.lumi:
            run.inside += 1
            self._close(lumi)
            lumi = self._lumi = self._open(Section(EventID(id_.run, id_.lumi, 0), run.section), run)
        return lumi

    def close(self) -> None:
        """The source has no more: close what is open."""
        lumi, run, self._lumi, self._run = self._lumi, self._run, None, None
        self._close(lumi)
        self._close(run)

    def interrupt(self) -> None:
        """The job is cancelled: no other begin and no other end is called until `abandon`."""
        self._abandoned = True

    async def abandon(self) -> None:
        """The job was cancelled, and every call of `calling` has returned: end whatever has begun."""
        for block in sorted(self.open, key=lambda block: block.outer is None):
            for number in sorted(block.streams):
                await self._end_copies(block, block.streams[number], last=True)
            await self._end_copies(block, block.begun, last=True)
        self.open.clear()

    def is_in(self, stream: Stream, block: Block) -> bool:
        """True when a stream may process events of a section."""
        return self._lumi_of.get(stream.number) is block and block.error is None

    def leave(self, block: Block) -> None:
        """Something inside has ended."""
        block.inside -= 1
        if block.over:
            self._start(partial(self._end, block))

    async def enter(self, stream: Stream, block: Block) -> None:
        """Take a stream to a section: end the one that it was in, wait until the new one has begun, begin it.

        Raises the `ModuleError` of whatever begin has failed, and CancelledError where the job is cancelled meanwhile.
        """
        number, run = stream.number, block.outer
        assert run is not None
        if self._lumi_of.get(number) is not block:
            async with self._lock(number):
                await self._end_stream(self._lumi_of, number)
                if self._run_of.get(number) is not run:
                    await self._end_stream(self._run_of, number)
            if self._abandoned:  # while an end was called here; nobody begins the section any more
                raise asyncio.CancelledError
            await block.begin.wait()  # not under the lock: the section before may have to end first
            async with self._lock(number):
                if block.error is None and self._run_of.get(number) is not run:
                    self._run_of[number] = run
                    await self._begin_stream(run, stream)
                block.error = block.error or run.error
                if block.error is None:
                    self._lumi_of[number] = block
                    await self._begin_stream(block, stream)
        if block.error is not None:
            raise block.error

    def _lock(self, number: int) -> asyncio.Lock:
        return self._locks.setdefault(number, asyncio.Lock())

    def _open(self, section: Section, outer: Block | None) -> Block:
        block = Block(section, outer)
        self.open.append(block)
        self._start(partial(self._begin, block))
        return block

    def _close(self, block: Block | None) -> None:
        if block is not None:
            block.closed = True
            if block.over:
                self._start(partial(self._end, block))

    async def _begin(self, block: Block) -> None:
        """Begin a section for the modules of one copy, after all that were opened before it."""
        async with self._one_begins:
            await (self._runs if block.outer is None else self._lumis).acquire()
            if block.outer is not None:
                block.error = block.outer.error
            if block.error is None:
                block.error = await self._begin_copies(block, self._single[block.level], block.begun)
        block.begin.set()

    async def _begin_copies(
        self, block: Block, copies: list[tuple[Node, Module]], begun: list[tuple[Node, Module]]
    ) -> ModuleError | None:
        for node, module in copies:
            if self._abandoned:
                break
            if (error := await self._call(node, module, f"begin_{block.level}", block)) is not None:
                return error
            begun.append((node, module))
        return None

    async def _call(self, node: Node, module: Module, step: str, block: Block) -> ModuleError | None:
        """Call a begin or an end; what it raised."""
        task = asyncio.current_task()
        self.calling.add(task)
        try:
            await call(node, step, getattr(module, step), block.section)
        except ModuleError as error:
            self.errors.append(error)
            return error
        finally:
            self.calling.discard(task)
        return None

    async def _begin_stream(self, block: Block, stream: Stream) -> None:
        begun = block.streams[stream.number] = []
        error = await self._begin_copies(block, self._copies(stream, block.level, single=False), begun)
        block.error = block.error or error

    async def _end(self, block: Block) -> None:
        """End a section for the streams that are in it, then for the modules of one copy."""
        await block.begin.wait()
        of = self._run_of if block.outer is None else self._lumi_of
        for number in sorted(block.streams):
            async with self._lock(number):
                if of.get(number) is block:
                    await self._end_stream(of, number)
        await self._end_copies(block, block.begun)
        if self._abandoned:
            return
        (self._runs if block.outer is None else self._lumis).release()
        self.open.remove(block)
        if block.outer is not None:
            self.leave(block.outer)

    async def _end_stream(self, of: dict[int, Block], number: int) -> None:
        """End the section that a stream is in, if it is in one."""
        if (block := of.pop(number, None)) is not None:
            await self._end_copies(block, block.streams.get(number, []))
            if not self._abandoned:
                block.streams.pop(number, None)

    async def _end_copies(self, block: Block, begun: list[tuple[Node, Module]], *, last: bool = False) -> None:
        while begun and (last or not self._abandoned):
            node, module = begun.pop()
            await self._call(node, module, f"end_{block.level}", block)


def _follows(module: Module, level: str) -> bool:
    return any(
        getattr(type(module), f"{step}_{level}") is not getattr(Module, f"{step}_{level}") for step in ("begin", "end")
    )
