"""A run that is stopped, at once or after its luminosity section."""

from __future__ import annotations

from typing import Any

import pytest
from steered import MODES, Gate, Sections, all_have_ended, ended, steered


@MODES
@pytest.mark.parametrize("per_lumi", [1, 4, 10, 100])
async def test_a_run_that_is_stopped_after_its_lumi_reads_that_to_its_end(mode: Any, per_lumi: int) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode, per_lumi=per_lumi)
    await gate.holds(1 if mode == "blocking" else 3)
    lumi = gate.came[-1] // per_lumi
    assert run.stop("enough", after_lumi=True)
    assert not run.stop("enough again", after_lumi=True)
    gate.let_all()
    report = await ended(task)
    assert report.events.read == min(20, (lumi + 1) * per_lumi)
    assert (report.interrupted, run.reason) == (True, "enough")


@MODES
async def test_a_run_that_is_to_stop_after_its_lumi_may_be_stopped_at_once(mode: Any) -> None:
    gate = Gate()
    run, flights, task = steered(gate, mode, per_lumi=10)
    most = 1 if mode == "blocking" else 3
    await gate.holds(most)
    assert run.stop("after the lumi", after_lumi=True)
    assert run.stop("now")
    assert not run.stop("after the lumi", after_lumi=True)
    gate.let_all()
    report = await ended(task)
    assert (report.events.read, flights.begun, run.reason) == (most, most, "now")


@MODES
async def test_a_held_run_that_is_to_stop_after_its_lumi_reads_on_to_its_end(mode: Any) -> None:
    gate = Gate()
    run, _, task = steered(gate, mode, per_lumi=10)
    await gate.holds(1 if mode == "blocking" else 3)
    run.hold()
    run.stop("enough", after_lumi=True)
    gate.let_all()
    assert (await ended(task)).events.read == 10


@MODES
async def test_a_run_that_is_stopped_before_it_begins_reads_nothing(mode: Any) -> None:
    for after_lumi in (False, True):
        gate = Gate()
        gate.let_all()
        run, flights, task = steered(gate, mode, per_lumi=10)
        run.stop("never mind", after_lumi=after_lumi)
        report = await ended(task)
        assert (report.events.read, flights.begun, report.interrupted) == (0, 0, True)


@MODES
async def test_a_run_that_is_stopped_after_its_lumi_ends_every_section_that_has_begun(mode: Any) -> None:
    gate, log = Gate(), list[tuple[str, str, int]]()
    run, _, task = steered(gate, mode, per_lumi=4, more={"sections": Sections(log, [])})
    await gate.holds(1 if mode == "blocking" else 3)
    run.stop("enough", after_lumi=True)
    gate.let_all()
    assert (await ended(task)).events.read == 4
    assert all_have_ended(log)
    assert {section for _, section, _ in log} == {"job", "lumi 1:1"}
