"""Runs a job: plan, copies, begin, events, end, outputs, report; and everything ends in every case."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from time import perf_counter, process_time
from typing import Any, Final, TypeAlias, get_args

from eventbraid.blocking import Blocking
from eventbraid.calls import Threads
from eventbraid.copies import Copies, Stream
from eventbraid.errors import ConfigurationError, EventbraidError, nearest
from eventbraid.garbage import passed_over
from eventbraid.intake import Intake
from eventbraid.job import Job, Mode
from eventbraid.ledger import Ledger, output_failed
from eventbraid.loops import loop_factory
from eventbraid.module import Figure
from eventbraid.outputs.base import OutputModule
from eventbraid.plan import Plan, make_plan
from eventbraid.report import Report, make_report
from eventbraid.resources import Resources
from eventbraid.scheduler import Scheduler
from eventbraid.services import Listener, Timing
from eventbraid.services.audience import Audience
from eventbraid.transitions import Transitions
from eventbraid.whereabouts import Whereabouts

__all__ = ["MOST_STREAMS", "Run", "Service", "run", "run_async"]

MOST_STREAMS: Final = 10_000
"""Events that may be in flight at most where that is changed while a job runs."""

Service: TypeAlias = "Callable[[Run], contextlib.AbstractAsyncContextManager[object]]"
"""Something that accompanies a run while events are processed."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def run(
    job: Job,
    mode: Mode = "async",
    *,
    listeners: Sequence[Listener] = (),
    timing: bool = True,
    say: Callable[[str], None] = _say,
    services: Sequence[Service] = (),
    max_time: float | None = None,
) -> Report:
    """Run a job on a loop of its own, with SIGINT and SIGTERM served; see `Job.run`."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        raise ConfigurationError("an event loop is running here: use `await job.run_async()`", f"job {job.name!r}")
    current = Run(job, mode, listeners=listeners, timing=timing, say=say, services=services, max_time=max_time)

    async def main() -> Report:
        with _signals(current, say):
            return await current.run()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main())


async def run_async(
    job: Job,
    mode: Mode = "async",
    *,
    listeners: Sequence[Listener] = (),
    timing: bool = True,
    max_time: float | None = None,
) -> Report:
    """Run a job on the running loop; see `Job.run_async`."""
    return await Run(job, mode, listeners=listeners, timing=timing, max_time=max_time).run()


@contextlib.contextmanager
def _signals(current: Run, say: Callable[[str], None]) -> Generator[None]:
    """The first SIGINT or SIGTERM drains the job, the second cancels it."""
    if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def received(number: signal.Signals) -> None:
        if current.stop(f"{number.name} received"):
            say(f"{number.name}: no new events, {current.in_flight} in flight are finished; once more cancels them")
        elif task is not None:
            say(f"{number.name}: cancelled")
            task.cancel()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, received, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


class Run:
    """One run of a job: what is going on can be asked for, and stopped."""

    def __init__(
        self,
        job: Job,
        mode: Mode = "async",
        *,
        listeners: Sequence[Listener] = (),
        timing: bool = True,
        say: Callable[[str], None] = _say,
        services: Sequence[Service] = (),
        max_time: float | None = None,
    ) -> None:
        if mode not in get_args(Mode):
            hint = nearest(str(mode), get_args(Mode))
            raise ConfigurationError(f"there is no mode {mode!r}: {hint}", f"job {job.name!r}")
        if max_time is not None and not max_time > 0:
            raise ConfigurationError(f"max_time must be more than 0 seconds, not {max_time!r}", f"job {job.name!r}")
        self.job = job
        self.mode: Mode = mode
        self.plan: Plan = make_plan(job)
        self.streams = 1 if mode == "blocking" else job.streams
        self.timing = Timing() if timing else None
        self.reason = ""
        self._audience = Audience([*listeners, *([self.timing] if self.timing else [])])
        self._say = say
        self._services = services
        self._began: float | None = None
        self._seconds = 0.0
        self._outputs: list[OutputModule] = list(job.outputs)
        self.ledger = Ledger(self.plan, self._outputs, self.streams)
        self._intake = Intake(job.source, job.events)
        self._engine: Scheduler | Blocking | None = None
        self._task: asyncio.Task[object] | None = None
        self._make: Callable[[int], Awaitable[list[Stream]]] | None = None
        self._setting = asyncio.Lock()
        self._max_time = max_time
        self._after_lumi = False
        self._inference: dict[str, Any] = {}

    @property
    def in_flight(self) -> int:
        """Events that were read and have not ended."""
        return self._engine.in_flight if self._engine is not None else 0

    @property
    def seconds(self) -> float:
        """Time of the event loop since the first event was to be read, until the last one's end."""
        return self._seconds if self._began is None else perf_counter() - self._began

    @property
    def held(self) -> bool:
        """True while no new event is to be read."""
        return self._intake.held

    def hold(self) -> None:
        """Finish what is in flight and read nothing, until `resume` or `stop`."""
        self._intake.hold()

    def resume(self) -> None:
        """Read events again."""
        self._intake.resume()
        self._wake()

    def stop(self, reason: str, *, after_lumi: bool = False, cancel: bool = False) -> bool:
        """Read no more events, or none after the luminosity section that is being read; False if that was said before.

        With `cancel` what is in flight is cancelled too, as it is by a second SIGINT.
        """
        changes = not self.reason or (self._after_lumi and not after_lumi)
        if changes:
            self.reason, self._after_lumi = reason, after_lumi
            self._intake.stop(after_lumi=after_lumi)
        if cancel and self._task is not None:
            self._task.cancel()
        self._wake()
        return changes

    def _wake(self) -> None:
        if isinstance(self._engine, Scheduler):
            self._engine.wake()

    async def set_streams(self, streams: int) -> None:
        """So many events may be in flight from now on; fewer take effect as events end.

        Raises `ConfigurationError` in blocking mode, and where the number is not between 1 and MOST_STREAMS.
        """
        engine = self._engine
        where = f"job {self.job.name!r}"
        if self.mode == "blocking":
            raise ConfigurationError("has one event in flight: its streams cannot be changed", where)
        if not 1 <= streams <= MOST_STREAMS:
            what = f"streams must be a whole number from 1 to {MOST_STREAMS}, not {streams}"
            raise ConfigurationError(what, where)
        async with self._setting:
            if not isinstance(engine, Scheduler) or self._make is None:
                raise ConfigurationError("processes no events: its streams cannot be changed", where)
            more = streams - self.streams
            if more <= 0:
                engine.retire(-more)
            else:
                staying = min(more, engine.retiring)
                engine.retire(-staying)
                engine.add(await self._make(more - staying))
                engine.wake()
            self.streams = streams

    def whereabouts(self) -> list[Whereabouts]:
        """What every event in flight waits for, oldest first."""
        return self._engine.whereabouts() if isinstance(self._engine, Scheduler) else []

    async def run(self) -> Report:
        """Run to the end; see `Job.run`."""
        for warning in self.plan.warnings:
            self._say(f"warning: {warning}")
        threads = Threads(blocking=self.streams)
        copies = Copies(self.plan, self.ledger.collect, self.mode, threads)
        streams = [copies.stream() for _ in range(self.streams)]
        if self.mode == "blocking":
            self._engine = Blocking(self.plan, streams[0], self._intake, self.ledger, self._audience)
        else:
            self._engine = Scheduler(self.plan, streams, self._intake, self.ledger, self._audience)
        resources = Resources(self.job, self._say)
        transitions = Transitions(self.plan, streams)

        async def make(more: int) -> list[Stream]:
            gone = self._engine.gone if isinstance(self._engine, Scheduler) else []
            made = [gone.pop() if gone else copies.stream() for _ in range(more)]
            await transitions.add(made, resources)
            return made

        cpu = 0.0
        errors: list[EventbraidError] = []
        try:
            async with self._files():
                try:
                    await transitions.begin(resources)
                    await self._intake.open()
                    async with contextlib.AsyncExitStack() as stack:
                        stack.enter_context(self._ramp_down())
                        for service in self._services:
                            await stack.enter_async_context(service(self))
                        self._audience.job_begins(self.plan, self.mode, self.streams)
                        stack.enter_context(passed_over())
                        cpu_began, self._began = process_time(), perf_counter()
                        self._make, self._task = make, asyncio.current_task()
                        await self._engine.run()
                        self._make = None
                        errors += self._engine.section_errors
                        self._seconds, self._began = self.seconds, None
                        cpu = process_time() - cpu_began
                        self._inference = await resources.report("inference")
                        await self.ledger.write()
                finally:
                    async with self._setting:  # what begins at this moment ends too
                        self._make = None
                    await self._intake.aclose()
                    errors += await transitions.end()
        finally:
            await resources.close()
            await threads.aclose()
        self._audience.job_ends(self.seconds)
        return self._conclude(self.seconds, cpu, errors, transitions.figures)

    @contextlib.contextmanager
    def _ramp_down(self) -> Generator[None]:
        """Stop reading after the time that the job may take."""
        if self._max_time is None:
            yield
            return
        reason = f"{self._max_time:g} s have passed"
        timer = asyncio.get_running_loop().call_later(self._max_time, self.stop, reason)
        try:
            yield
        finally:
            timer.cancel()

    @contextlib.asynccontextmanager
    async def _files(self) -> AsyncGenerator[None]:
        """Open the outputs; close them when the job ends, also by an error, and discard them when cancelled."""
        opened: list[OutputModule] = []
        try:
            for output in self._outputs:
                output.paths = tuple(path.name for path in self.plan.paths)
                await asyncio.to_thread(_act, output, "opening", output.open)
                opened.append(output)
            yield
        except BaseException:
            for output in opened:
                output.discard()
            raise
        for output in opened:
            await asyncio.to_thread(_act, output, "closing", output.close)

    def _conclude(
        self, seconds: float, cpu: float, errors: list[EventbraidError], figures: Mapping[str, Mapping[str, Figure]]
    ) -> Report:
        report = make_report(
            self.ledger,
            self.job.name,
            self.mode,
            self.streams,
            seconds,
            cpu,
            modules=self.timing.by_label() if self.timing else {},
            warnings=self.plan.warnings,
            interrupted=bool(self.reason),
            cancelled=self.ledger.cancelled,
            figures=figures,
            inference=self._inference,
        )
        if self.ledger.fatal is not None:
            errors.insert(0, self.ledger.fatal)
        if self.ledger.stopping is not None:
            errors.insert(0, self.ledger.stopping.error)
        if errors:
            errors[0].report = report
            raise errors[0]
        return report


def _act(output: OutputModule, doing: str, act: Callable[[], None]) -> None:
    try:
        act()
    except EventbraidError:
        raise
    except Exception as error:
        raise output_failed(output, doing, error) from error
