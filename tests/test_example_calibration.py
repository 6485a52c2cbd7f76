"""The calibration example, end to end: external work that is no inference, on a service that the job starts."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eventbraid import Job, ModuleError
from eventbraid.errors import RequestError, ServerError, ServerTimeout, ServerUnavailable
from eventbraid.loading import load_job
from eventbraid.testing import ListOutput

FILE = Path(__file__).parents[1] / "examples/calibration.py"
MODES = ("async", "blocking", "threads")


def example(**settings: Any) -> tuple[Job, ListOutput]:
    """The example's job for 60 events, and what it puts."""
    job = load_job(FILE).replace(events=60, settings={f"energies.{name}": value for name, value in settings.items()})
    output = ListOutput(keep=["energies", "charges"])
    return replace(job, outputs=[output]), output


def test_the_energies_and_decisions_are_the_same_in_the_three_modes() -> None:
    found: list[list[Any]] = []
    for mode in MODES:
        job, output = example()
        report = job.run(mode)
        assert report.events.read == 60
        assert 0 < report.events.passed < 60
        found.append([(row.id, row.path_results, row.products["energies"].tobytes()) for row in output.rows])
    assert found[0] == found[1] == found[2]


def test_each_luminosity_section_has_constants_of_its_own_that_give_back_the_pedestals() -> None:
    job, output = example(timeout=10.0)
    job.run()
    sections: dict[int, list[Any]] = {}
    for row in output.rows:
        sections.setdefault(row.id.lumi, []).append(row)
    fitted = []
    for rows in sections.values():  # energy = gain (charge - pedestal): two events give both
        (x0, y0), (x1, y1) = [(row.products["charges"], row.products["energies"]) for row in rows[:2]]
        gain = np.median((y1 - y0) / (x1 - x0))
        fitted.append((float(gain), float(np.median(x0 - y0 / gain))))
    assert len(fitted) == 2
    assert fitted[0] != fitted[1]
    for gain, pedestal in fitted:
        assert gain == pytest.approx(0.2, rel=0.05)
        assert pedestal == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_is_away_is_named(mode: Any) -> None:
    job, _ = example(server="127.0.0.1:1")
    with pytest.raises(ModuleError, match=r"127\.0\.0\.1:1: the calibration service: failed to connect") as raised:
        job.run(mode)
    assert isinstance(raised.value.__cause__, ServerUnavailable)


def test_a_server_that_is_late_is_named_with_the_deadline() -> None:
    job, _ = example(timeout=0.001)
    with pytest.raises(
        ModuleError, match=r"127\.0\.0\.1:\d+: the calibration service: no answer within 0.001 s"
    ) as raised:
        job.run()
    assert isinstance(raised.value.__cause__, ServerTimeout)


def test_a_detector_that_the_server_does_not_know_is_said_with_those_it_knows() -> None:
    job, _ = example(detector="HO")
    with pytest.raises(ModuleError, match="there is no detector 'HO', there is HB, HE, HF") as raised:
        job.run()
    assert isinstance(raised.value.__cause__, RequestError)


async def test_a_server_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    load_job(FILE)
    from calibration_service import client

    monkeypatch.setattr(client, "COMMAND", (sys.executable, "-c", ""))
    async with asyncio.timeout(30):
        with pytest.raises(ServerError, match="the calibration server did not start"):
            await client.CalibrationClient.open()


def test_the_module_of_the_page_is_that_of_the_example() -> None:
    page = FILE.parents[1] / "docs/external-work.md"
    (snippet,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert snippet in FILE.read_text()
