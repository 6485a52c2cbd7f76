"""Figures of merit: what a module shows of itself once the job has ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from eventbraid import Analyzer, ConfigurationError, Event, Input, Job, ModuleError
from eventbraid.cli.showing import show_summary
from eventbraid.job import Mode
from eventbraid.testing import ListSource


class Mean(Analyzer):
    """The mean of what it sees."""

    kind = "shared"
    values = Input[float]("value")

    def begin_job(self) -> None:
        self.seen: list[float] = []

    def analyze(self, event: Event) -> None:
        self.seen.append(event[self.values])

    def figures(self) -> Mapping[str, Any]:
        return {"mean, GeV": sum(self.seen) / len(self.seen), "events": len(self.seen), "method": "plain"}


class Odd(Mean):
    def figures(self) -> Mapping[str, Any]:
        return {"seen": self.seen}


class Nothing(Mean):
    def figures(self) -> Mapping[str, Any]:
        return {"ratio": float("nan")}


class Streamed(Mean):
    kind = "stream"


def job(**modules: Analyzer) -> Job:
    return Job("j", source=ListSource([{"value": float(n)} for n in range(5)]), modules=modules, streams=3)


@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_job_reports_the_figures_of_its_modules_in_every_mode(mode: Mode) -> None:
    report = job(mean=Mean()).run(mode)
    assert report.figures == {"mean": {"mean, GeV": 2.0, "events": 5, "method": "plain"}}
    assert json.loads(report.to_json())["figures"] == report.figures


def test_figures_are_told_in_the_order_of_the_modules() -> None:
    report = job(second=Mean(), first=Mean(), last=Mean()).run()
    assert list(report.figures) == ["second", "first", "last"]


def test_the_summary_shows_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary(job(mean=Mean()).run())
    shown = capsys.readouterr().err
    (row,) = (line for line in shown.splitlines() if "mean, GeV" in line)
    assert "2" in row


def test_a_figure_that_is_no_number_and_no_text_is_its_modules_error() -> None:
    with pytest.raises(ModuleError, match="a figure is a number or a text, not list") as raised:
        job(odd=Odd()).run()
    assert raised.value.label == "odd"
    assert raised.value.step == "figures"


def test_a_figure_that_is_not_finite_is_a_text_in_the_report() -> None:
    assert job(nothing=Nothing()).run().figures == {"nothing": {"ratio": "nan"}}


def test_figures_of_a_module_with_a_copy_for_each_stream_are_a_fault() -> None:
    with pytest.raises(ConfigurationError, match="has figures\\(\\), and a copy for each event in flight"):
        job(streamed=Streamed()).run()
