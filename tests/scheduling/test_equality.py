"""Braided equals blocking, for every job: products, path results and errors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvloop
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eventbraid import ConfigurationError, Job, ModuleError, Report

sys.path.insert(0, str(Path(__file__).parent))
from random_jobs import Behaviour, RandomJob, Watch, random_jobs, wait

from eventbraid.running import Run
from eventbraid.testing import ListOutput


async def bounded(job: Job, mode: Any) -> Report:
    """A run that may not hang."""
    async with asyncio.timeout(20):
        return await Run(job, mode, say=lambda line: None).run()


def outcome(random: RandomJob, mode: Any, loop_factory: Any) -> tuple[Report, list[Any], ModuleError | None]:
    """The report, the rows and the error of a run, in which nothing happened that may not."""
    error, watch = None, Watch()
    job = random.job(watch)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        try:
            report = runner.run(bounded(job, mode))
        except ModuleError as raised:
            assert raised.report is not None
            error, report = raised, raised.report
    output = job.outputs[0]
    assert isinstance(output, ListOutput)
    assert output.closed
    assert watch.over
    return report, output.rows, error


def failures(report: Report) -> list[tuple[str, str, str, str]]:
    return [(str(f.event), f.error.label, f.error.step, str(f.error)) for f in report.failures]


def failed(report: Report) -> list[str]:
    return list(dict.fromkeys(str(failure.event) for failure in report.failures))


def ambiguous(random: RandomJob, possible: list[tuple[str, str, str, str]]) -> bool:
    """In some event one module would stop the job and another skip the event: the first to fail decides."""
    policies = {b.label: b.on_error or random.on_error for b in random.behaviours}
    found = {(event, policies[label]) for event, label, _, _ in possible}
    return any((event, "skip") in found for event, policy in found if policy == "stop")


def check_equal(random: RandomJob, loop_factory: Any = None) -> None:
    blocking, expected_rows, expected_error = outcome(random, "blocking", loop_factory)
    braided, rows, error = outcome(random, "async", loop_factory)
    possible = failures(outcome(random.tolerant(), "blocking", loop_factory)[0])
    assert braided.events.read == braided.events.passed + braided.events.failed + braided.events.not_selected
    assert set(failures(braided)) <= set(possible)
    if ambiguous(random, possible):
        return
    if error is None:
        assert expected_error is None
        assert braided.events == blocking.events
        assert braided.paths == blocking.paths
        assert failed(braided) == failed(blocking)
        assert rows == expected_rows
        if braided.events.failed == 0 or random.continues:
            assert failures(braided) == failures(blocking)
            assert {label: times.calls for label, times in braided.modules.items()} == {
                label: times.calls for label, times in blocking.modules.items()
            }
    else:  # events that were in flight when the first failed still end
        assert expected_error is not None
        assert error.event == expected_error.event
        assert failed(braided)[: len(failed(blocking))] == failed(blocking)
        assert rows[: len(expected_rows)] == expected_rows
        assert braided.events.read >= blocking.events.read


WAITS_AND_RAISES = RandomJob(
    behaviours=(
        Behaviour("external", "m0", ("x",), waits=(1, 3, 1), raises_at="work", raises_every=3),
        Behaviour("filter", "m1", ("m0", "y"), waits=(0, 0, 1)),
        Behaviour("producer", "m2", ("m1",), kind="serial", waits=(1, 0, 0)),
        Behaviour("analyzer", "m3", ("m2",), plain=True),
    ),
    paths=(("m1", "m3"), ("m2",)),
    keep=("m2",),
    select=("p0",),
    events=9,
    streams=4,
    on_error="continue",
)


@given(random_jobs())
@example(WAITS_AND_RAISES)
def test_braided_equals_blocking(random: RandomJob) -> None:
    """Any job gives the same products, path results and errors in both modes."""
    check_equal(random)


@given(random_jobs())
@settings(max_examples=max(20, settings().max_examples // 4))
def test_braided_equals_blocking_on_uvloop(random: RandomJob) -> None:
    """The same holds on uvloop."""
    check_equal(random, uvloop.new_event_loop)


@given(random_jobs(), st.integers(0, 30), st.sampled_from(["stop", "after lumi", "cancel", "hold", "streams"]))
def test_whatever_is_done_to_a_running_job_it_ends_in_order(random: RandomJob, moment: int, act: str) -> None:
    """Nothing is left running, what began has ended, every event read is booked, the rows are the first ones."""
    watch = Watch()
    job = random.job(watch)
    run = Run(job, say=lambda line: None)

    @asynccontextmanager
    async def steered(run: Run) -> AsyncGenerator[None]:
        task = asyncio.create_task(steer(run))
        yield
        await task

    async def steer(run: Run) -> None:
        await wait(moment)
        if act == "hold":
            run.hold()
            await wait(5)
            run.resume()
        elif act == "streams":
            with suppress(ConfigurationError):  # the job is over already
                await run.set_streams(1 + moment % 7)
        else:
            run.stop(act, after_lumi=act == "after lumi", cancel=act == "cancel")

    run._services = [steered]

    async def bounded_run() -> Report:
        async with asyncio.timeout(20):
            return await run.run()

    report = None
    try:
        report = asyncio.run(bounded_run())
    except ModuleError as error:
        report = error.report
    except asyncio.CancelledError:
        assert act == "cancel"
    assert watch.over
    if report is None:
        return
    assert report.events.read == report.events.passed + report.events.failed + report.events.not_selected
    output = job.outputs[0]
    assert isinstance(output, ListOutput)
    if act in ("hold", "streams") and not report.failures:
        assert output.rows == outcome(random, "blocking", None)[1]


@given(random_jobs())
@settings(max_examples=max(20, settings().max_examples // 10))
def test_threads_mode_equals_blocking(random: RandomJob) -> None:
    """The same products, path results and errors with external work in threads; nothing is given up, for certainty."""
    blocking, expected, _ = outcome(random.tolerant(), "blocking", None)
    report, rows, _ = outcome(random.tolerant(), "threads", None)
    assert rows == expected
    assert failures(report) == failures(blocking)
    assert report.paths == blocking.paths
