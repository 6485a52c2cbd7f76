"""`eventbraid plan`: what it shows, the JSON and the picture that it writes, and that it foretells a job."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
sys.path.insert(0, str(Path(__file__).parent))
from jobs import GOOD
from networks import make_repository

from eventbraid.job import Job
from eventbraid.loading import load_job
from eventbraid.serving import EmbeddedServer

PROTODUNE = ("--other", "110s", "--module", "220s", "--packing", "7s", "--rows", "55000", "--row-bytes", "9216")
LINK = ("--bandwidth", "1Gbps", "--latency", "12ms")


def test_plan_shows_the_papers_figures_and_writes_them_as_json(call: Any) -> None:
    numbers = ("--batch", "1693", "--gpu-rate", "31000", "--gpus", "4", "--clients", "270", "--rate", "100")
    prices = ("--cpu-price", "0.03", "--gpu-price", "0.35", "--events", "1000")
    called = call("plan", *PROTODUNE, *LINK, *numbers, *prices, "--json", "-")
    assert called.code == 0, called.err
    for text in (
        "270 clients, blocking, on 4 GPUs",
        "16.6",
        "2.68",
        "t_ideal, W (2)",
        "100 events/s need",
        "0.03 a core",
    ):
        assert text in called.err
    found = json.loads(called.out)
    assert found["farm"]["speed_up"] == pytest.approx(2.7, rel=0.05)
    assert found["farm"]["clients_per_gpu"] == pytest.approx(68, rel=0.1)
    assert found["cost"]["cost"] < found["cost"]["cpu_only_cost"]
    assert found["needs"]["gpus"] == 178


def test_plan_takes_the_gpu_of_a_preset(call: Any) -> None:
    preset = ("--batch", "235", "--device", "emulated:t4,gpus=4", "--model", "emtrackmichelid", "--streams", "4")
    called = call("plan", *PROTODUNE, *LINK, *preset, "--json", "-")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert (found["farm"]["gpus"], found["farm"]["streams"], found["farm"]["bound_by"]) == (4, 4, "client's core")
    assert found["event"]["gpu"] == pytest.approx(235 * 0.004 + 55_000 * 30e-6)


def test_plan_draws_a_picture(call: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    called = call("plan", "--other", "1s", "--gpu-time", "10ms", "--plot", str(tmp_path / "plan.png"))
    assert called.code == 0, called.err
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "error: eventbraid plan has 2 faults\n  - --other: is needed"),
        (("--other", "110", "--gpu-time", "x"), "error: eventbraid plan has 2 faults\n  - --other: '110' is no duration"),
        (("--other", "-1s", "--gpu-time", "1s"), "--other: '-1s' is no duration"),
        (("--other", "1s", "--gpu-time", "0s"), "--gpu-time: must be above 0"),
        (("--other", "1s", "--gpu-time", "1s", "--clients", "0"), "--clients: must be at least 1"),
        (("--other", "1s", "--gpu-time", "1s", "--rate", "nan"), "--rate: must be above 0 and at most 1e+15, not nan"),
        (("--other", "1s", "--gpu-time", "1s", "--server-bandwidth", "1Gb"), "--server-bandwidth: '1Gb' is no bandwidth"),
        (("--other", "1s", "--device", "emulated:v10"), "'v10' is neither a preset nor KEY=VALUE (did you mean 'v100'?)"),
        (("--report", "no.json"), "no.json: cannot be read: No such file or directory"),
        (("--other", "1s", "--gpu-time", "1s", "--json", "no/where.json"), "no/where.json: cannot be written"),
    ],
)  # fmt: skip
def test_wrong_options_get_a_clear_error_and_exit_code_2(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    called = call("plan", *arguments)
    assert text in called.err
    assert called.code == 2
    assert "Traceback" not in called.err


def test_a_picture_of_no_kind_is_told_before_anything_else(call: Any) -> None:
    called = call("plan", "--other", "1s", "--gpu-time", "1s", "--plot", "plan.gif")
    assert called.err == "error: cannot write plan.gif: a picture ends with .png, .pdf or .svg\n"
    assert called.code == 1


def test_help_shows_a_command_of_every_kind(call: Any) -> None:
    shown = call("plan", "--help").out
    for text in ("--report run.json", "--gpu-time 1.8s", "--device emulated:t4", "arXiv:2009.04509"):
        assert text in shown


PAGE = (Path(__file__).parents[2] / "docs/plan.md").read_text()


def test_the_commands_of_the_page_that_need_no_run_show_what_it_shows(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    commands = [line.split()[2:] for line in PAGE.splitlines() if line.startswith("$ eventbraid plan --other")]
    assert commands
    for command in commands:
        called = call(*command)
        assert called.code == 0, called.err
        assert called.err in PAGE
    assert (tmp_path / "plan.png").exists()


def test_the_program_of_the_page_prints_clients_and_speed_up(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(program, {})
    clients, speed_up = map(float, capsys.readouterr().out.split())
    assert clients == pytest.approx(270, rel=0.1)
    assert speed_up == pytest.approx(2.7, rel=0.05)


JOB = """
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Job, Output, Producer
from eventbraid.inference import InferenceProducer, Tensors
from eventbraid.sources import EmptySource
from eventbraid.studies.replay.standins import burn


class Signals(Producer):
    signals = Output[NDArray[np.float32]]()

    def produce(self, event: Event) -> None:
        burn(2_000_000)
        event[self.signals] = np.ones(3, np.float32)


class Total(InferenceProducer):
    signals = Input[NDArray[np.float32]]("signals")
    total = Output[float]()

    async def acquire(self, event: Event) -> Tensors:
        return {"x": event[self.signals]}

    async def produce(self, event: Event, response: Tensors) -> None:
        event[self.total] = float(response["y"].sum())


job = Job(
    "totals",
    source=EmptySource(events=30),
    modules={"signals": Signals(), "total": Total(model="one")},
    paths={"p": ["total"]},
    streams=8,
    models=[Path(__file__).parent / "models"],
)
"""
GPU = 0.030


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a job and its model."""
    made = tmp_path_factory.mktemp("planned")
    make_repository(made / "models")
    (made / "job.py").write_text(JOB)
    return made


async def test_the_plan_of_a_blocking_run_foretells_the_braided_one(folder: Path, call: Any) -> None:
    async with EmbeddedServer([folder / "models"], device=f"emulated:t0={GPU}s,per_row=0", latency=0.04) as server:
        job: Job = load_job(folder / "job.py").replace(servers=[server.address])
        await job.replace(events=3).run_async("async")
        blocking = await job.run_async("blocking")
        braided = await job.run_async("async")
    (folder / "run.json").write_text(blocking.to_json())
    alone, many = (
        json.loads(call("plan", "--report", str(folder / "run.json"), "--clients", "1", "--json", "-", *more).out)
        for more in ((), ("--streams", "8"))
    )
    assert alone["event"]["gpu"] == pytest.approx(GPU, rel=0.2)
    assert alone["farm"]["event_seconds"] == pytest.approx(blocking.seconds / 30, rel=0.1)
    assert alone["farm"]["bound_by"] == "client's waiting"
    assert many["farm"]["event_seconds"] == pytest.approx(GPU, rel=0.2)
    assert many["farm"]["event_seconds"] == pytest.approx(braided.seconds / 30, rel=0.3)
    assert many["farm"]["bound_by"] == "GPUs"


def test_a_run_that_asked_no_model_is_no_measurement_for_a_plan(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "job.py").write_text(GOOD)
    assert call("run", "job.py", "--json", "run.json").code == 0
    called = call("plan", "--report", "run.json")
    assert called.code == 2
    assert (
        "has no request to a model that was answered (it takes a job that asks a server: eventbraid run" in called.err
    )


def test_plan_reads_what_run_writes(folder: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    ran = call("run", "job.py", "--mode", "blocking", "--events", "5", "--json", "report.json")
    assert ran.code == 0, ran.err
    called = call("plan", "--report", "report.json", "--on-cpu", "--gpu-time", "1us", "--json", "-")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert found["name"] == "totals"
    assert found["event"]["cpu_only"] > found["event"]["other"] > 0
