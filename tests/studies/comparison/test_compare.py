"""A job is run in both modes in fresh processes: who is faster, and are the products the same?"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from eventbraid import ConfigurationError, EventbraidError
from eventbraid.studies import Comparison, Point, Study, compare, compare_async
from eventbraid.studies.comparison import render

JOB = """
import asyncio
import os

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, ExternalProducer, Filter, Input, Job, Output, Parameter
from eventbraid.outputs import ParquetOutput
from eventbraid.sources import EmptySource
from eventbraid.testing import ListOutput


class Remote(ExternalProducer[int, float]):
    seconds = Parameter(0.01, ge=0)
    faulty = Parameter(False)
    random = Parameter(False)
    energies = Output[NDArray[np.float64]]()

    def acquire(self, event: Event) -> int:
        return event.id.event

    async def external_work(self, acquired: int) -> float:
        await asyncio.sleep(self.seconds)
        if self.faulty and acquired == 3:
            raise OSError("beam dump")
        return acquired + (int.from_bytes(os.urandom(7)) if self.random else 0.0)

    def produce(self, event: Event, result: float) -> None:
        event[self.energies] = np.full(2, result)


class Even(Filter):
    energies = Input[NDArray[np.float64]]("remote")

    def filter(self, event: Event) -> bool:
        print("users may print")
        return event.id.event % 2 == 0


job = Job(
    "tiny",
    source=EmptySource(events=20),
    modules={"remote": Remote(), "even": Even()},
    paths={"even": ["even"]},
    outputs=[ParquetOutput("even.parquet", keep=["remote"], select=["even"]), ListOutput(keep=["remote"])],
    streams=10,
    on_error="stop",
)
"""


COUNTS_ITS_COPIES = """class Remote(ExternalProducer[int, float]):
    copies = []

    def begin_job(self) -> None:
        self.copies.append(self)
"""
"""A module that does not do the same with one copy as with several."""


@pytest.fixture
def job_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.py").write_text(JOB)
    return tmp_path / "job.py"


def rendered(comparison: Comparison) -> str:
    console = Console(file=io.StringIO(), width=120)
    render(comparison, console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_external_work_is_braided_products_agree_and_a_picture_is_drawn(job_file: Path) -> None:
    lines: list[str] = []
    result = compare(job_file, repeats=1, picture=job_file.with_name("compare.png"), say=lines.append)
    blocking, braided = result.points
    assert (blocking, braided) == (Point("blocking"), Point("async", 10))
    assert result.identical
    assert result.complete
    gain = result.speed_up(braided)
    assert gain is not None
    assert gain.median > 2
    assert result.figures[blocking].in_flight == pytest.approx(1, abs=0.2)
    assert result.figures[braided].in_flight > 3
    assert result.figures[blocking].latency > 0.01
    assert job_file.with_name("compare.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert sorted(each.name for each in job_file.parent.glob("*.parquet")) == []
    assert len(lines) == 3
    found = json.loads(json.dumps(result.to_dict()))
    assert found["compared"] == {"files": ["even.parquet", "ListOutput.parquet"], "decisions": 20}
    assert [(each["mode"], each["runs"][0]["events"]["passed"]) for each in found["points"]] == [
        ("blocking", 10),
        ("async", 10),
    ]
    text = rendered(result)
    assert "identical in all 2 runs, bit for bit: products of even.parquet, ListOutput.parquet, path results" in text


def test_a_job_that_is_not_the_same_from_run_to_run_is_not_identical(job_file: Path) -> None:
    settings = {"remote.seconds": 0, "remote.random": True}
    result = compare(job_file, events=4, repeats=1, settings=settings, picture=None, say=lambda line: None)
    assert not result.identical
    assert [(each.file, each.column, each.event) for each in result.differences] == [
        ("even.parquet", "remote[0]", "1:1:2"),
        ("ListOutput.parquet", "remote[0]", "1:1:1"),
    ]
    assert result.unrepeated
    text = rendered(result)
    assert "not repeatable: two runs in the same mode differ" in text
    assert "even.parquet, column remote[0], event 1:1:2: " in text


def test_modes_that_differ_from_each_other_alone_are_not_called_unrepeatable(job_file: Path) -> None:
    job_file.write_text(
        JOB.replace("class Remote(ExternalProducer[int, float]):\n", COUNTS_ITS_COPIES).replace(
            "return event.id.event\n", "return event.id.event + 2 * len(self.copies)\n"
        )
    )
    result = compare(job_file, events=4, repeats=2, settings={"remote.seconds": 0}, picture=None, say=lambda line: None)
    assert not result.identical
    assert not result.unrepeated
    assert {(each.reference, each.run) for each in result.differences} == {
        ("blocking, run 1", "async, 10 in flight, run 1"),
        ("blocking, run 1", "async, 10 in flight, run 2"),
    }
    assert "not identical: " in rendered(result)


async def test_a_study_that_is_cancelled_keeps_the_runs_that_had_ended(job_file: Path) -> None:
    ended: list[str] = []

    def say(line: str) -> None:
        ended.append(line)
        if "run 1 of 2" in line:
            asyncio.get_running_loop().call_soon(task.cancel)

    study = Study(job_file, modes=["blocking"], events=4, repeats=2, picture=None, say=say)
    assert study.comparison is None
    task = asyncio.ensure_future(study.run())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert study.comparison is not None
    assert not study.comparison.complete
    assert [len(runs) for runs in study.comparison.runs.values()] == [1]
    assert "not complete: 1 of 2 runs had ended" in rendered(study.comparison)


def test_a_run_that_fails_is_an_error_in_its_own_words(job_file: Path) -> None:
    with pytest.raises(
        EventbraidError,
        match=r"the warming run \(async, 10 in flight\) failed: module 'remote'.*event 1:1:3: OSError: beam",
    ):
        compare(job_file, settings={"remote.faulty": True}, picture=None, say=lambda line: None)


def test_a_process_that_dies_is_an_error_with_its_last_words(job_file: Path) -> None:
    job_file.write_text(JOB.replace('print("users may print")', 'os.write(2, b"segmentation fault"); os._exit(7)'))
    with pytest.raises(EventbraidError, match=r"its process ended with 7:\nsegmentation fault"):
        compare(job_file, picture=None, say=lambda line: None)


def test_faults_are_said_before_anything_runs(job_file: Path) -> None:
    lines: list[str] = []
    with pytest.raises(ConfigurationError, match="there is no module 'remot'"):
        compare(job_file, settings={"remot.seconds": 0}, say=lines.append)
    with pytest.raises(ConfigurationError, match="--repeats: must be at least 1"):
        compare(job_file, repeats=0, say=lines.append)
    with pytest.raises(ConfigurationError, match="--streams: must be whole numbers from 1"):
        compare(job_file, streams=0, say=lines.append)
    assert lines == []


@pytest.fixture
def calling_file(job_file: Path) -> Path:
    """A job whose external work lasts until whoever listens at the socket "s" hangs up."""
    call = "(pair := await asyncio.open_unix_connection('s'))[0].read()"
    job_file.write_text(JOB.replace("asyncio.sleep(self.seconds)", call))
    return job_file


async def test_cancelling_ends_the_running_process(calling_file: Path) -> None:
    gone = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task.cancel()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    async with await asyncio.start_unix_server(connected, "s"):
        task = asyncio.ensure_future(compare_async(calling_file, streams=1, picture=None, say=lambda line: None))
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()


def test_both_modes_take_the_same_case_of_a_switch_and_draw_the_same_numbers(job_file: Path) -> None:
    job_file.write_text(
        JOB.replace("Output, Parameter", "Output, Parameter, Switch")
        .replace('"remote": Remote()', '"remote": Switch(fpga=Remote(), cpu=Remote(faulty=True))')
        .replace("return event.id.event\n", "return int(event.random(self).integers(1000))\n")
    )
    result = compare(job_file, events=6, repeats=1, accelerators=["fpga"], seed=5, picture=None, say=lambda line: None)
    assert result.identical
