"""What the picture and the table of an estimate show."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from eventbraid.errors import DataError
from eventbraid.studies.model import Estimate, Farm, Prices, Workload, render
from eventbraid.studies.model.picture import curves, draw, numbers_of_gpus, reach
from eventbraid.studies.model.table import bits, number, seconds, sections

WORKLOAD = Workload(other=1, gpu=0.1, packing=0.1, travel=0.2, module=4, bits=1e6)
ESTIMATE = Estimate("jets [x]", WORKLOAD, Farm(gpus=6), clients=80, events=1000, prices=Prices(0.03, 0.4), rate=100)


@pytest.mark.parametrize(
    ("most", "numbers"),
    [(1, (1,)), (4, (1, 2, 3, 4)), (5, (1, 2, 3, 5)), (16, (1, 2, 4, 8, 16)), (1000, (1, 6, 32, 178, 1000))],
)
def test_curves_are_of_numbers_of_gpus_from_one_to_all(most: int, numbers: tuple[int, ...]) -> None:
    assert numbers_of_gpus(most) == numbers


def test_every_curve_has_its_saturation_point_where_it_begins_to_rise() -> None:
    for curve in curves(ESTIMATE):
        point, module, event, rate = curve.saturation
        assert point == pytest.approx(curve.gpus * 1.4 / 0.1)
        assert (module, event, rate) == pytest.approx((0.4, 1.4, curve.gpus / 0.1))
        assert point in curve.clients
        assert np.all(np.diff(curve.clients) >= 0)
        assert curve.event_seconds[curve.clients <= point] == pytest.approx(1.4)
        assert np.all(np.diff(curve.event_seconds[curve.clients >= point]) > 0)
        assert curve.events_per_second[-1] == pytest.approx(rate)


def test_the_curves_reach_beyond_saturation_and_all_clients() -> None:
    assert reach(ESTIMATE) == pytest.approx(1.5 * 84)
    assert reach(Estimate("t", WORKLOAD, Farm(), clients=500, events=1)) == pytest.approx(550)


@pytest.mark.parametrize("streams", [1, 4])
@pytest.mark.parametrize("module", [None, 4.0])
def test_a_picture_is_drawn(tmp_path: Path, streams: int, module: float | None) -> None:
    pytest.importorskip("matplotlib")
    workload = Workload(other=1e-3, gpu=1e-4, module=module)
    file = tmp_path / "plan.png"
    draw(Estimate("t", workload, Farm(gpus=2, streams=streams), clients=1, events=1), file)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written_is_told_so(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(DataError, match="cannot write"):
        draw(ESTIMATE, tmp_path / "no" / "plan.png")


def rendered(estimate: Estimate) -> str:
    file = io.StringIO()
    render(estimate, Console(file=file, width=100))
    return file.getvalue()


def test_the_table_says_what_the_estimate_does() -> None:
    text = rendered(ESTIMATE)
    for line in ("jets [x]", "80 clients, blocking, on 6 GPUs", "1,000 events", "100 events/s need"):
        assert line in text
    rows = {name: value for _, rows in sections(ESTIMATE) for name, value, _ in rows}
    assert rows["time on a CPU alone"] == "5 s"
    assert rows["clients before saturation"] == "84"
    assert rows["clients a GPU"] == "14"
    assert rows["speed-up of an event"] == "3.57"
    assert rows["CPU cores that a GPU replaces"] == "39"
    assert rows["bound by"] == "client's waiting"
    assert rows["bandwidth of a GPU"] == "10 Mb/s"
    assert rows["cost"] == number(1000 * (1.4 * 0.03 + 1.4 * 6 / 80 * 0.4) / 3600)


def test_without_the_modules_time_the_table_has_no_speed_up_and_a_note_is_shown() -> None:
    workload = Workload(other=1, gpu=0.1)
    text = rendered(Estimate("t", workload, Farm(streams=16), clients=1, events=1, notes=("the run [was] odd",)))
    assert "speed-up" not in text
    assert "F_GPU" not in text
    assert "1 client, each with 16 events in flight, on 1 GPU" in text
    assert "note: the run [was] odd" in text


def test_servers_that_cost_more_than_they_save_never_pay() -> None:
    loss = Estimate("t", Workload(other=1, gpu=0.1, packing=2, module=1), Farm(), clients=1, events=1)
    rows = {name: value for _, rows in sections(loss) for name, value, _ in rows}
    assert rows["servers pay up to a GPU hour of"] == "never"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 s"), (123.4, "123 s"), (0.99951, "1 s"), (1234, "1,234 s"), (0.0123, "12.3 ms"), (2e-6, "2 us"), (5e-12, "0.005 ns")],
)  # fmt: skip
def test_times_are_written_with_a_unit(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 b/s"), (2.9e12, "2.9 Tb/s"), (3.85e9, "3.85 Gb/s"), (132, "132 b/s")]
)
def test_bandwidths_are_written_with_a_unit(value: float, text: str) -> None:
    assert bits(value) == text
