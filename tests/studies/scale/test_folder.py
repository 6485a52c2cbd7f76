"""The kept points of a study, and the table of them."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from eventbraid import ConfigurationError
from eventbraid.studies.scale import Point, Scaling
from eventbraid.studies.scale.folder import Folder
from eventbraid.studies.scale.scaling import One

POINT = Point(
    clients=2,
    gpus=4,
    events=20,
    failed=0,
    overlap=1.0,
    events_per_second=19.0,
    event_seconds=0.1,
    module_seconds=0.04,
    module_p95=0.05,
    machine=0.5,
    server_queue=None,
)
SETTINGS: dict[str, Any] = {"job_file": "job.py", "events": 5}


def test_a_point_is_kept_with_its_report_also_for_the_next_study(tmp_path: Path) -> None:
    Folder(tmp_path / "kept", SETTINGS).keep(POINT, {"job": "t"})
    again = Folder(tmp_path / "kept", SETTINGS)
    assert again.find(4, 2) == (POINT, {"job": "t"})
    assert again.find(4, 3) is again.find(None, 2) is None


def test_results_of_another_study_are_not_mixed_with(tmp_path: Path) -> None:
    Folder(tmp_path / "kept", SETTINGS)
    with pytest.raises(ConfigurationError, match="results of another study, with events 5 in the place of 6"):
        Folder(tmp_path / "kept", {**SETTINGS, "events": 6})


def test_a_folder_with_other_files_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(ConfigurationError, match="is a folder with other files: --results elsewhere"):
        Folder(tmp_path, SETTINGS)
    with pytest.raises(ConfigurationError, match="cannot keep the results of a study"):
        Folder(tmp_path / "mine.txt", SETTINGS)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"point": {"clients": 1}, "report": {}}'])
def test_a_file_that_is_no_point_is_named(tmp_path: Path, text: str) -> None:
    folder = Folder(tmp_path, SETTINGS)
    (tmp_path / "gpus-4-clients-2.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"gpus-4-clients-2.json: is no finished point .*: remove it"):
        folder.find(4, 2)


def shown(*points: Point, **settings: Any) -> str:
    console = Console(record=True, width=200, file=StringIO())
    Scaling("t", "blocking", 1, points, **settings).render(console)
    return console.export_text()


def test_it_is_said_where_the_servers_are_full() -> None:
    full = replace(POINT, clients=4, events_per_second=20.0, module_seconds=0.08)
    assert "4 GPUs: with 4 clients the module takes a tenth longer; saturated at 20 events/s" in shown(POINT, full)
    assert "4 GPUs: the module's time has not risen by a tenth" in shown(POINT)


def test_four_points_have_a_knee_where_times_have_risen_by_a_tenth() -> None:
    flat = [replace(POINT, clients=clients) for clients in (1, 2, 8)]
    rises = replace(POINT, clients=24, module_seconds=0.08)
    assert "4 GPUs: the module's time is flat up to 8 clients" in shown(*flat, rises)
    assert "4 GPUs: the module's time has not risen by a tenth" in shown(*flat, replace(rises, module_seconds=0.041))


def test_points_that_found_the_machine_full_are_named() -> None:
    assert "note: 2 clients found this machine's cores full" in shown(replace(POINT, machine=0.95))
    assert "note" not in shown(replace(POINT, machine=None))


def test_an_interrupted_study_says_how_to_go_on() -> None:
    assert "interrupted: the same command goes on with what is missing" in shown(POINT, interrupted=True)


def test_the_model_is_eq_4_with_what_one_client_measured() -> None:
    one = One(event=1.0, other=0.8, gpu=0.1)
    few, many = (replace(POINT, clients=clients) for clients in (20, 80))
    scaling = Scaling("t", "blocking", 1, (few, many), one)
    assert scaling.saturation(4) == pytest.approx(40)
    assert scaling.expected(few) == pytest.approx((20.0, 0.2))
    assert scaling.expected(many) == pytest.approx((40.0, 1.2))
    assert "full from 40 on" in shown(few, many, one=one)
