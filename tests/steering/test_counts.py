"""What a run counts while it goes on."""

from __future__ import annotations

from typing import Any

from steered import MODES, Gate, ended, steered, turns


@MODES
async def test_the_events_in_flight_are_those_that_were_read_and_have_not_ended(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode)
    assert run.in_flight == 0
    most = 1 if mode == "blocking" else 3
    await gate.holds(most)
    assert run.in_flight == flights.inside == most
    gate.let(gate.came[0])
    await turns()
    await gate.holds(most)
    assert (run.in_flight, flights.begun, flights.ended, run.ledger.read) == (most, most + 1, 1, 1)
    gate.let_all()
    assert (await ended(task)).events.read == 20
    assert run.in_flight == 0


@MODES
async def test_the_seconds_of_a_run_go_on_until_its_last_event_and_then_stay(mode: Any) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode)
    assert run.seconds == 0.0
    await gate.holds(1 if mode == "blocking" else 3)
    assert 0 < run.seconds <= run.seconds
    gate.let_all()
    report = await ended(task)
    assert run.seconds == run.seconds == report.seconds > 0
