"""Steps and external work in threads: where they run, what they see, what they cost, and what they raise."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar
from time import thread_time
from typing import Any

import pytest

from eventbraid import (
    Analyzer,
    ConfigurationError,
    Event,
    EventID,
    ExternalFilter,
    ExternalProducer,
    Filter,
    Input,
    Job,
    ModuleError,
    Output,
    Producer,
    Report,
)
from eventbraid.calls import OFFLOAD_THREADS
from eventbraid.running import Run
from eventbraid.services import Listener
from eventbraid.testing import ListOutput, ListSource

MODES = pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
BRAIDED = pytest.mark.parametrize("mode", ["async", "threads"])
OFFLOADED = pytest.mark.parametrize("offload", [False, True])
HANGS = 10.0
"""Seconds after which a run hangs."""

collision: ContextVar[str] = ContextVar("collision", default="none")


class Where:
    """The names of the threads in which steps ran."""

    def __init__(self) -> None:
        self.of: list[tuple[str, str]] = []

    def note(self, step: str) -> None:
        self.of.append((step, threading.current_thread().name.split("_")[0]))


class Plain(Producer):
    offload = True
    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, where: Where, **settings: Any) -> None:
        super().__init__(**settings)
        self.where = where

    def produce(self, event: Event) -> None:
        self.where.note("produce")
        event[self.value] = event[self.x] * 10


class Decides(Filter):
    offload = True
    kind = "shared"
    x = Input[int]("x")

    def __init__(self, where: Where) -> None:
        super().__init__()
        self.where = where

    def filter(self, event: Event) -> bool:
        self.where.note("filter")
        return event[self.x] > 0


class Looks(Analyzer):
    offload = True
    kind = "shared"
    x = Input[int]("x")

    def __init__(self, where: Where) -> None:
        super().__init__()
        self.where = where

    def analyze(self, event: Event) -> None:
        self.where.note("analyze")


class Away(ExternalProducer[int, int]):
    offload = True
    kind = "shared"
    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, where: Where) -> None:
        super().__init__()
        self.where = where

    def acquire(self, event: Event) -> int:
        self.where.note("acquire")
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        await asyncio.sleep(0)
        self.where.note("external work")
        return acquired * 10

    def produce(self, event: Event, result: int) -> None:
        self.where.note("produce")
        event[self.value] = result


def numbers(count: int) -> ListSource:
    return ListSource([{"x": n} for n in range(count)], products=["x"])


def job(modules: dict[str, Any], count: int = 3, keep: tuple[str, ...] = (), **settings: Any) -> tuple[Job, ListOutput]:
    """A job whose events hold x from 0, with every module on a path of its own unless paths are given."""
    output = ListOutput(keep=keep)
    settings = {"paths": {f"p_{label}": [label] for label in modules}, "streams": count, **settings}
    return Job("t", source=numbers(count), modules=modules, outputs=[output], **settings), output


async def outcome(made: Job, mode: Any = "async") -> tuple[Report, ModuleError | None]:
    """The report of a run that may not hang, and the error that it raised."""
    async with asyncio.timeout(HANGS):
        try:
            return await Run(made, mode, say=lambda line: None).run(), None
        except ModuleError as error:
            assert error.report is not None
            return error.report, error


@MODES
@pytest.mark.parametrize("made_of", [Plain, Decides, Looks])
async def test_a_plain_step_runs_in_another_thread_but_in_blocking_mode(mode: Any, made_of: Any) -> None:
    where = Where()
    made, _ = job({"m": made_of(where)})
    report, _ = await outcome(made, mode)
    assert report.modules["m"].calls == 3
    here = threading.current_thread().name
    assert {thread for _, thread in where.of} == {here if mode == "blocking" else "offload"}


@MODES
async def test_acquire_and_produce_run_in_another_thread_and_the_work_between_them_as_the_mode_says(mode: Any) -> None:
    where = Where()
    made, output = job({"m": Away(where)}, keep=("m",))
    await outcome(made, mode)
    here = threading.current_thread().name
    step = here if mode == "blocking" else "offload"
    work = "external" if mode == "threads" else here
    assert set(where.of) == {("acquire", step), ("external work", work), ("produce", step)}
    assert [row.products["m"] for row in output.rows] == [0, 10, 20]


@MODES
async def test_what_runs_in_a_thread_gives_the_products_and_decisions_that_it_gives_inline(mode: Any) -> None:
    found: list[Any] = []
    for offload in (False, True):
        classes: list[Any] = [type("Either", (base,), {"offload": offload}) for base in (Plain, Decides, Looks, Away)]
        modules = {f"m{n}": each(Where()) for n, each in enumerate(classes)}
        made, output = job(modules, 9, keep=("m0", "m3"), paths={"p": list(modules), "q": ["m0"]}, streams=4)
        report, _ = await outcome(made, mode)
        found.append((report.events, report.paths, [(row.id, row.products, row.path_results) for row in output.rows]))
    assert found[0] == found[1]


class Sees(Plain):
    """Notes the context in which it runs, and changes it."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__(Where())
        self.seen = seen

    def produce(self, event: Event) -> None:
        self.seen.append(collision.get())
        if self.offload:
            collision.set("changed")
        event[self.value] = 1


@MODES
@OFFLOADED
async def test_a_step_sees_the_context_of_the_caller(mode: Any, offload: bool) -> None:
    seen: list[str] = []
    collision.set("lead and lead")
    made, _ = job({"m": type("Either", (Sees,), {"offload": offload})(seen)}, 1)
    await outcome(made, mode)
    assert seen == ["lead and lead"]


@BRAIDED
async def test_what_a_step_changes_in_its_context_in_a_thread_is_its_own(mode: Any) -> None:
    seen: list[str] = []
    collision.set("lead and lead")
    made, _ = job({"one": Sees(seen), "two": Sees(seen)}, 5, streams=2)
    await outcome(made, mode)
    assert seen == ["lead and lead"] * 10


@pytest.mark.parametrize("mode", ["async", "blocking", "threads"])
async def test_external_work_sees_the_context_of_the_caller(mode: Any) -> None:
    class Sees(Away):
        async def external_work(self, acquired: int) -> int:
            seen.append(collision.get())
            return acquired

    seen: list[str] = []
    collision.set("lead and lead")
    made, _ = job({"m": Sees(Where())})
    await outcome(made, mode)
    assert seen == ["lead and lead"] * 3


class FailsIn(ExternalFilter[int, int]):
    """Raises in the step that is named, of the event whose x is 1."""

    x = Input[int]("x")
    value = Output[int]()

    def __init__(self, step: str, error: type[BaseException]) -> None:
        super().__init__()
        self.step, self.error = step, error

    def maybe(self, step: str, x: int) -> None:
        if step == self.step and x == 1:
            raise self.error("a bad hit")

    def acquire(self, event: Event) -> int:
        self.maybe("acquire", event[self.x])
        return event[self.x]

    async def external_work(self, acquired: int) -> int:
        self.maybe("external work", acquired)
        return acquired

    def filter(self, event: Event, result: int) -> bool:
        self.maybe("filter", result)
        event[self.value] = result
        return True


STEPS = pytest.mark.parametrize("step", ["acquire", "external work", "filter"])


@MODES
@STEPS
@pytest.mark.parametrize("policy", ["stop", "skip", "continue"])
@pytest.mark.parametrize("error", [ValueError, TimeoutError, asyncio.CancelledError])
async def test_an_error_in_a_thread_is_told_as_if_it_were_inline(mode: Any, step: str, policy: Any, error: Any) -> None:
    told: list[Any] = []
    for offload in (False, True):
        module = type("Either", (FailsIn,), {"offload": offload})(step, error)
        made, _ = job({"m": module}, on_error=policy, streams=1)
        report, raised = await outcome(made, mode)
        (failure,) = report.failures
        assert type(failure.error.__cause__) is error
        told.append((str(failure.error), report.events, report.errors, raised is None))
    assert told[0] == told[1]
    assert told[0][0] == f"module 'm', step {step}, path 'p_m', event 1:1:2: {error.__name__}: a bad hit"


@pytest.mark.parametrize("mode", ["async", "blocking"])
@pytest.mark.parametrize("step", ["acquire", "filter"])
async def test_an_event_ends_whose_step_in_a_thread_raises_what_ends_an_iteration(mode: Any, step: str) -> None:
    made, _ = job({"m": type("Iterates", (FailsIn,), {"offload": True})(step, StopIteration)}, on_error="skip")
    async with asyncio.timeout(0.5):
        report = await Run(made, mode, say=lambda line: None).run()
    assert report.events.failed == 1


@MODES
@OFFLOADED
async def test_an_answer_that_a_step_may_not_give_is_told_as_if_it_were_inline(mode: Any, offload: bool) -> None:
    class Returns(Plain):
        def produce(self, event: Event) -> Any:
            return 5

    class Undecided(Decides):
        def filter(self, event: Event) -> Any:
            return None

    Returns.offload = Undecided.offload = offload
    made, _ = job({"returns": Returns(Where()), "undecided": Undecided(Where())}, 1, on_error="continue")
    report, _ = await outcome(made, mode)
    assert sorted(str(failure.error.args[0]) for failure in report.failures) == [
        "TypeError: filter() returned None; a filter returns True or False",
        "TypeError: produce() returned int; put products with event[self.name] = ...",
    ]


CPU = 0.02
"""Seconds that a step computes."""


def compute() -> None:
    until = thread_time() + CPU
    while thread_time() < until:
        pass


@MODES
@OFFLOADED
@pytest.mark.parametrize("fails", [False, True])
async def test_the_cpu_seconds_of_a_step_are_counted_where_it_runs(mode: Any, offload: bool, fails: bool) -> None:
    class Computes(Plain):
        def produce(self, event: Event) -> None:
            compute()
            if fails:
                raise ValueError("after all that")
            event[self.value] = 1

    Computes.offload = offload
    made, _ = job({"m": Computes(Where())}, 3, on_error="skip")
    report, _ = await outcome(made, mode)
    assert report.modules["m"].calls == 3
    assert report.modules["m"].cpu_seconds >= 3 * CPU
    assert report.modules["m"].max_seconds >= CPU


@MODES
@OFFLOADED
@pytest.mark.parametrize("step", ["acquire", "filter"])
async def test_the_cpu_seconds_of_each_step_of_external_work_are_counted(mode: Any, offload: bool, step: str) -> None:
    class Computes(FailsIn):
        def maybe(self, step: str, x: int) -> None:
            if step == self.step:
                compute()

    Computes.offload = offload
    made, _ = job({"m": Computes(step, ValueError)}, 3, streams=2)
    report, _ = await outcome(made, mode)
    assert report.modules["m"].cpu_seconds >= 3 * CPU


class Fills(Plain):
    """Stays until as many calls are inside as there are threads, and the loop has had its turns since."""

    kind = "shared"

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(Where())
        self.loop = loop
        self.full, self.released = asyncio.Event(), threading.Event()
        self.lock = threading.Lock()
        self.inside = self.most = 0

    def produce(self, event: Event) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside == OFFLOAD_THREADS:
                self.loop.call_soon_threadsafe(self.full.set)
        assert self.released.wait(HANGS)
        with self.lock:
            self.inside -= 1
        event[self.value] = 1


async def test_no_more_steps_run_in_threads_at_once_than_there_are_threads() -> None:
    fills = Fills(asyncio.get_running_loop())
    made, _ = job({"m": fills, "other": Plain(Where())}, 3 * OFFLOAD_THREADS)
    run = Run(made)
    task = asyncio.create_task(run.run())
    async with asyncio.timeout(HANGS):
        await fills.full.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert run.in_flight == 3 * OFFLOAD_THREADS
        fills.released.set()
        assert (await task).events.passed == 3 * OFFLOAD_THREADS
    assert fills.most == OFFLOAD_THREADS


@MODES
async def test_no_thread_is_left_when_a_job_has_ended(mode: Any) -> None:
    before = set(threading.enumerate())
    made, _ = job({"m": Away(Where()), "other": Plain(Where())}, 20, streams=5)
    await outcome(made, mode)
    left = {thread.name.split("_")[0] for thread in set(threading.enumerate()) - before}
    assert left <= {"asyncio"}  # the loop's own, for files


@pytest.mark.parametrize("base", [Plain, Decides, Looks, Away])
def test_a_step_that_is_async_cannot_go_to_a_thread(base: Any) -> None:
    step = base._steps[-1]

    async def waits(self: Any, event: Event, result: int = 0) -> None: ...

    made, _ = job({"m": type("Waits", (base,), {step: waits})(Where())})
    with pytest.raises(ConfigurationError, match=rf"Waits has offload = True, but {step}\(\) is async def"):
        made.run()


def test_an_acquire_that_is_async_cannot_go_to_a_thread() -> None:
    async def waits(self: Any, event: Event) -> int:
        return 1

    made, _ = job({"m": type("Waits", (Away,), {"acquire": waits})(Where())})
    with pytest.raises(ConfigurationError, match=r"Waits has offload = True, but acquire\(\) is async def: a thread"):
        made.run()


@BRAIDED
async def test_the_loop_goes_on_while_a_step_is_in_a_thread(mode: Any) -> None:
    class Waits(Plain):
        def produce(self, event: Event) -> None:
            assert opened.wait(HANGS)
            event[self.value] = 1

    class Opens(Producer):
        x = Input[int]("x")
        value = Output[int]()

        async def produce(self, event: Event) -> None:
            await asyncio.sleep(0)
            event[self.value] = event[self.x]
            if event[self.x] == 2:
                opened.set()

    opened = threading.Event()
    made, _ = job({"waits": Waits(Where()), "opens": Opens()}, 3)
    report, _ = await outcome(made, mode)
    assert report.events.passed == 3


class Alone(Plain):
    """Notes whether a call begins while another is inside; the one of the event whose x is 1 may take long."""

    def __init__(self, go_on: threading.Event) -> None:
        super().__init__(Where())
        self.go_on = go_on
        self.inside = self.overlaps = 0

    def produce(self, event: Event) -> None:
        self.overlaps += self.inside > 0
        self.inside += 1
        if event[self.x] == 1:
            self.go_on.wait(0.2)
        elif event[self.x] == 2:
            self.go_on.set()
        self.inside -= 1
        event[self.value] = 1


BOUNDS = pytest.mark.parametrize(
    "bound", [{"kind": "serial"}, {"limit": 1}, {"resources": ("tape",)}], ids=["serial", "limit", "resource"]
)


@BRAIDED
@BOUNDS
async def test_a_bounded_step_in_a_thread_is_alone(mode: Any, bound: Any) -> None:
    go_on = threading.Event()
    go_on.set()
    alone = type("Bound", (Alone,), bound)(go_on)
    made, _ = job({"m": alone}, 30, streams=6)
    report, _ = await outcome(made, mode)
    assert (report.events.passed, alone.overlaps) == (30, 0)


@BRAIDED
@BOUNDS
async def test_a_bounded_step_in_a_thread_is_alone_also_after_one_that_took_too_long(mode: Any, bound: Any) -> None:
    alone = type("Bound", (Alone,), {**bound, "module_timeout": 0.05})(threading.Event())
    made, _ = job({"m": alone}, 3, on_error="skip", streams=3)
    report, _ = await outcome(made, mode)
    assert report.events.failed >= 1
    assert alone.overlaps == 0


@BRAIDED
async def test_a_copy_of_a_module_is_not_called_while_a_thread_still_runs_a_late_step_of_it(mode: Any) -> None:
    go_on, all_of_them = threading.Event(), list[Alone]()

    class OfAStream(Alone):
        kind = "stream"
        module_timeout = 0.05

        def begin_job(self) -> None:
            all_of_them.append(self)

    made, _ = job({"m": OfAStream(go_on)}, 3, on_error="skip", streams=1)
    report, _ = await outcome(made, mode)
    assert report.events.failed >= 1
    assert [each.overlaps for each in all_of_them] == [0]


@BRAIDED
async def test_a_step_in_a_thread_that_takes_too_long_fails_its_event_alone(mode: Any) -> None:
    class Late(Plain):
        module_timeout = 0.05

        def produce(self, event: Event) -> None:
            if event[self.x] == 1:
                threading.Event().wait(0.2)
            event[self.value] = 1

    made, output = job({"m": Late(Where())}, 3, on_error="skip", streams=3)
    report, _ = await outcome(made, mode)
    (failure,) = report.failures
    assert str(failure.error) == (
        "module 'm', step produce, path 'p_m', event 1:1:2: TimedOut: the module took more than its 0.05 s"
    )
    assert [row.id.event for row in output.rows] == [1, 3]


@BRAIDED
async def test_what_a_step_that_took_too_long_puts_in_its_thread_reaches_no_output(mode: Any) -> None:
    class Late(Plain):
        module_timeout = 0.05

        def produce(self, event: Event) -> None:
            if event[self.x] == 1:
                threading.Event().wait(0.2)
            event[self.value] = 7

    modules = {"late": Late(Where()), "other": Plain(Where())}
    made, output = job(modules, 2, keep=("late",), paths={"p": ["other"]}, on_error="continue")
    report, _ = await outcome(made, mode)
    assert (report.errors, [row.products for row in output.rows]) == (1, [{"late": 7}])


@BRAIDED
async def test_a_cancelled_job_ends_when_its_steps_in_threads_have(mode: Any) -> None:
    class Waits(Plain):
        def produce(self, event: Event) -> None:
            loop.call_soon_threadsafe(inside.set)
            assert go_on.wait(HANGS)
            ended.append(event[self.x])

    loop, inside, go_on, ended = asyncio.get_running_loop(), asyncio.Event(), threading.Event(), list[int]()
    made, output = job({"m": Waits(Where())}, 1)
    task = asyncio.create_task(Run(made, mode).run())
    await inside.wait()
    task.cancel()
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    await asyncio.wait([task], timeout=HANGS)
    assert (task.cancelled(), ended, output.discarded) == (True, [0], True)


# --- external work in mode "threads"


class LoopOf(Away):
    """Notes the thread and the loop of its external work."""

    offload = False

    def __init__(self) -> None:
        super().__init__(Where())
        self.loops: list[tuple[threading.Thread, asyncio.AbstractEventLoop]] = []

    async def external_work(self, acquired: int) -> int:
        await asyncio.sleep(0)
        self.loops.append((threading.current_thread(), asyncio.get_running_loop()))
        return acquired * 10


@pytest.mark.parametrize("streams", [1, 4])
async def test_external_work_in_threads_has_a_loop_that_stays_with_its_thread(streams: int) -> None:
    away = LoopOf()
    made, output = job({"m": away}, 40, keep=("m",), streams=streams)
    await outcome(made, "threads")
    assert [row.products["m"] for row in output.rows] == [10 * n for n in range(40)]
    threads, loops = {thread for thread, _ in away.loops}, {id(loop) for _, loop in away.loops}
    assert threading.current_thread() not in threads
    assert len(threads) == len(loops) == len(set(away.loops)) <= streams
    assert all(loop.is_closed() for _, loop in away.loops)


async def test_external_work_in_threads_is_away_for_as_many_events_as_there_are_streams() -> None:
    class Meets(Away):
        offload = False

        async def external_work(self, acquired: int) -> int:
            await asyncio.to_thread(barrier.wait, HANGS)
            return acquired * 10

    barrier = threading.Barrier(4)
    made, output = job({"m": Meets(Where())}, 8, keep=("m",), streams=4)
    await outcome(made, "threads")
    assert [row.products["m"] for row in output.rows] == [10 * n for n in range(8)]


@pytest.mark.parametrize("policy", ["skip", "continue"])
@pytest.mark.parametrize("step", ["", "acquire", "external work", "filter"])
async def test_the_modes_give_the_same_products_decisions_and_errors(policy: Any, step: str) -> None:
    found: list[Any] = []
    for mode in ("async", "blocking", "threads"):
        modules = {
            "decides": type("Inline", (FailsIn,), {"offload": False})(step, ValueError),
            "away": Away(Where()),
            "after": type("Inline", (Away,), {"offload": False, "x": Input[int]("away")})(Where()),
            "plain": Plain(Where(), x="after"),
        }
        paths = {"p": ["decides", "plain"], "q": ["away"]}
        made, output = job(modules, 9, keep=("away", "after", "plain"), paths=paths, on_error=policy, streams=4)
        report, _ = await outcome(made, mode)
        rows = [(row.id, row.products, row.path_results) for row in output.rows]
        found.append((rows, report.events, report.paths, report.errors, [str(each.error) for each in report.failures]))
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) == (8 if step and policy == "skip" else 9)


class Collects(Away):
    """Collects the requests of three events and asks once."""

    offload = False

    def __init__(self) -> None:
        super().__init__(Where())
        self.held: list[tuple[int, asyncio.Future[int]]] = []
        self.loops: set[asyncio.AbstractEventLoop] = set()

    async def external_work(self, acquired: int) -> int:
        loop = asyncio.get_running_loop()
        self.loops.add(loop)
        future: asyncio.Future[int] = loop.create_future()
        self.held.append((acquired, future))
        if len(self.held) == 3:
            for _ in range(100):  # the others wait by then
                await asyncio.sleep(0)
            held, self.held = self.held, []
            for value, each in held:
                each.set_result(value * 10)
        return await future

    async def ends(self, task: asyncio.Task[Report]) -> bool:
        """True when a job ends without its loops being woken from outside; they are, in any case."""
        await asyncio.wait([task], timeout=0.5)
        ended = task.done()
        while not task.done():
            for loop in self.loops:
                loop.call_soon_threadsafe(int)
            await asyncio.wait([task], timeout=0.01)
        return ended


async def test_edge_01_a_module_that_collects_the_requests_of_three_events_gets_its_answers() -> None:
    collects = Collects()
    made, output = job({"m": collects}, 9, keep=("m",), streams=3)
    task = asyncio.create_task(Run(made, "async").run())
    assert await collects.ends(task)
    assert [row.products["m"] for row in output.rows] == [10 * n for n in range(9)]


@BRAIDED
async def test_a_step_in_a_thread_is_awaited_where_its_event_is_given_up(mode: Any) -> None:
    class Waits(Plain):
        def produce(self, event: Event) -> None:
            if event[self.x] == 1:
                assert go_on.wait(HANGS)
                over.append("step")
            event[self.value] = 1

    class Breaks(Analyzer):
        x = Input[int]("x")

        async def analyze(self, event: Event) -> None:
            await asyncio.sleep(0)
            if event[self.x] == 1:
                asyncio.get_running_loop().call_soon(go_on.set)
                raise ValueError("a bad hit")

    class Ends(Listener):
        def event_ends(self, event: EventID, number: int, time: float, failed: bool, passed: bool) -> None:
            if failed:
                over.append("event")

    go_on, over = threading.Event(), list[str]()
    made, output = job({"waits": Waits(Where()), "breaks": Breaks()}, 3, on_error="skip")
    async with asyncio.timeout(HANGS):
        report = await Run(made, mode, listeners=[Ends()]).run()
    assert over == ["step", "event"]
    assert (report.events.failed, [row.id.event for row in output.rows]) == (1, [1, 3])
