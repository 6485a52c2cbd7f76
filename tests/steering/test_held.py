"""A run that is held reads nothing until it is resumed."""

from __future__ import annotations

from typing import Any

from steered import MODES, Gate, ended, steered, turns


@MODES
async def test_a_held_run_reads_nothing_and_lets_what_is_in_flight_end(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode)
    most = 1 if mode == "blocking" else 3
    await gate.holds(most)
    run.hold()
    gate.let_all()
    await gate.holds(0)
    await turns()
    assert (run.held, run.in_flight, flights.begun, task.done()) == (True, 0, most, False)
    run.resume()
    assert (await ended(task)).events.read == 20
    assert not run.held


@MODES
async def test_a_run_may_be_held_and_resumed_again_and_again(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode)
    for _ in range(5):
        await gate.holds(1 if mode == "blocking" else 3)
        run.hold()
        run.hold()
        for number in sorted(gate.inside):
            gate.let(number)
        await gate.holds(0)
        await turns()
        assert run.in_flight == 0
        run.resume()
        run.resume()
    gate.let_all()
    report = await ended(task)
    assert (report.events.read, flights.begun, report.interrupted) == (20, 20, False)


@MODES
async def test_a_run_that_is_held_before_it_begins_reads_nothing_until_it_is_resumed(mode: Any) -> None:
    gate = Gate()
    gate.let_all()
    run, flights, task = steered(gate, mode)
    run.hold()
    await turns()
    assert flights.begun == 0
    run.resume()
    assert (await ended(task)).events.read == 20


@MODES
async def test_a_held_run_ends_when_it_is_stopped(mode: Any) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode)
    most = 1 if mode == "blocking" else 3
    await gate.holds(most)
    run.hold()
    gate.let_all()
    await gate.holds(0)
    assert run.stop("enough")
    report = await ended(task)
    assert (report.events.read, report.interrupted, run.reason, run.held) == (most, True, "enough", False)


@MODES
async def test_a_run_that_is_held_at_its_last_event_ends_once_it_is_resumed(mode: Any) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode, events=1)
    await gate.holds(1)
    run.hold()
    gate.let_all()
    await gate.holds(0)
    await turns()
    assert not task.done()
    run.resume()
    assert (await ended(task)).events.read == 1
