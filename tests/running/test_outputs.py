"""What outputs write, and what their failure does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from small_modules import MODES, Above, Copy, numbers

from eventbraid import DataError, Event, Input, Job, Output, Producer
from eventbraid.testing import ListOutput


@MODES
def test_an_output_selects_by_path_and_keeps_the_order_of_the_events(mode: Any) -> None:
    class Slow(Producer):
        x = Input[int]("x")
        value = Output[int]()

        async def produce(self, event: Event) -> None:
            for _ in range(20 - event[self.x]):
                await asyncio.sleep(0)
            event[self.value] = event[self.x]

    output = ListOutput(keep=["slow"], select=["p"])
    modules = {"above": Above(cut=4), "slow": Slow()}
    Job("t", source=numbers(20), modules=modules, paths={"p": ["above", "slow"]}, outputs=[output], streams=20).run(
        mode
    )
    assert [row.products["slow"] for row in output.rows] == list(range(5, 20))


@MODES
def test_an_output_makes_a_kept_product_that_no_path_needed(mode: Any) -> None:
    output = ListOutput(keep=["copy"], select=["p"])
    modules = {"above": Above(cut=1), "copy": Copy()}
    report = Job("t", source=numbers(4), modules=modules, paths={"p": ["above"]}, outputs=[output]).run(mode)
    assert [row.products["copy"] for row in output.rows] == [2, 3]
    assert report.modules["copy"].calls == 2


@MODES
def test_an_output_that_cannot_write_ends_the_job_with_its_error(mode: Any) -> None:
    class Full(ListOutput):
        def write(self, rows: Any) -> None:
            raise OSError("no space left")

    job = Job("t", source=numbers(200), modules={}, outputs=[Full(keep=["x"])])
    with pytest.raises(DataError, match="failed writing: OSError: no space left"):
        job.run(mode)
