"""Images of electrons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import Job, ModuleError
from eventbraid.errors import DataError
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.deepcalo import Cells, Electrons, ImageMaker, ShowerSimulator
from eventbraid_modules.deepcalo.cells import simulate
from eventbraid_modules.deepcalo.geometry import IMAGE, PIXEL_ETA, PIXEL_PHI
from eventbraid_modules.deepcalo.images import make_images


def drawn(count: int, energy: float, seed: int = 1, phi: float = np.pi) -> tuple[Electrons, Cells]:
    rng = np.random.default_rng(seed)
    directions = (rng.uniform(-edge, edge, count).astype(np.float32) for edge in (1.39, phi))
    electrons = Electrons(np.full(count, energy, np.float32), *directions)
    return electrons, simulate(electrons, rng, 35.0)


def test_an_image_is_56_by_11_pixels_in_four_layers_as_in_the_paper() -> None:
    assert IMAGE == (56, 11, 4)
    assert IMAGE[0] * PIXEL_ETA == pytest.approx(0.175, abs=5e-4)
    assert IMAGE[1] * PIXEL_PHI == pytest.approx(0.270, abs=5e-4)
    images = make_images(drawn(5, 50)[1])
    assert images.pixels.shape == (5, 56, 11, 4)
    assert images.pixels.dtype == np.float32


def test_a_request_for_five_electrons_is_04_megabits_as_in_table_2() -> None:
    assert make_images(drawn(5, 50)[1]).pixels.nbytes * 8 / 1e6 == pytest.approx(0.4, abs=0.05)


EMPTY = ((1, 14, 5), (1, 112, 5), (1, 14, 20), (1, 7, 20))


@given(st.integers(4, 9), st.integers(6, 13), st.integers(-50, 50), st.integers(0, 255))
def test_the_cell_with_most_energy_near_the_electron_is_in_the_middle(
    row: int, column: int, eta: int, phi: int
) -> None:
    layers = tuple(np.zeros(shape, np.float32) for shape in EMPTY)
    layers[2][0, row, column] = 8
    layers[2][0, 0, 0] = 9  # another particle's
    images = make_images(Cells(layers, np.array([[16 * eta, phi]])))
    middle = images.pixels[0, :, :, 2]
    assert (middle[24:32, 5] == 1).all()  # shared evenly by the pixels of the cell
    assert middle.sum() == 8
    assert images.eta[0] == pytest.approx((16 * eta + 8 * row + 4) * PIXEL_ETA, abs=1e-5)
    assert np.exp(1j * images.phi[0]) == pytest.approx(np.exp(1j * (phi + column + 0.5) * PIXEL_PHI), abs=1e-5)


def test_that_is_the_cell_with_most_energy_of_nearly_every_image() -> None:
    cells = 8 * make_images(drawn(300, 50)[1]).pixels[:, ::8, :, 2].reshape(300, -1)
    assert np.mean(cells.argmax(axis=1) == 3 * 11 + 5) > 0.95


def test_images_are_where_the_electrons_are_across_the_seam_too() -> None:
    electrons, cells = drawn(400, 200)
    images = make_images(cells)
    turn = np.angle(np.exp(1j * (images.phi - electrons.phi)))
    assert np.abs(images.phi).max() <= np.pi
    assert np.abs(images.eta - electrons.eta).max() <= 0.03
    assert np.quantile(np.abs(turn), 0.95) <= 0.03  # the others have radiated most of their energy
    seam = np.abs(electrons.phi) > np.pi - 0.2
    assert seam.sum() > 10
    assert np.median(np.abs(turn[seam])) < 0.015


def test_no_energy_is_lost_or_made_where_no_cell_is_cut() -> None:
    ones = tuple(np.ones(shape, np.float32) for shape in EMPTY)
    ones[2][0, 6, 10] = 50
    images = make_images(Cells(ones, np.zeros((1, 2), np.int64)))
    presampler, strips, middle, back = images.pixels[0].sum(axis=(0, 1))
    assert middle == pytest.approx(7 * 11 - 1 + 50)
    assert presampler == pytest.approx(7 * 11 / 4)
    assert strips == pytest.approx(56 * 11 / 4)
    assert back == pytest.approx(7 * 11 / 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_energies_that_are_none_are_told_with_their_cell(value: float) -> None:
    _, cells = drawn(3, 50)
    cells.layers[1][2, 7, 1] = value
    with pytest.raises(DataError, match=r"electron 2: cell \(7, 1\) of layer strips has"):
        make_images(cells)


def test_a_bad_event_is_told_and_the_others_pass() -> None:
    events = [{"cells": drawn(3, 50, seed)[1]} for seed in (1, 2, 3)]
    events[1]["cells"].layers[3][0, 0, 0] = np.nan
    output = ListOutput(keep=["images"])
    job = Job(
        "t", source=ListSource(events), modules={"images": ImageMaker()}, outputs=[output], on_error="skip", streams=2
    )
    report = job.run()
    assert (report.events.read, report.events.failed) == (3, 1)
    assert [row.id.event for row in output.rows] == [1, 3]
    with pytest.raises(ModuleError, match="layer back has nan"):
        replace(job, on_error="stop").run()


def test_an_event_without_electrons_has_no_images() -> None:
    nothing = Electrons(*(np.zeros(0, np.float32) for _ in range(3)))
    output = ListOutput(keep=["images"])
    modules = {"cells": ShowerSimulator(), "images": ImageMaker()}
    Job("t", source=ListSource([{"electrons": nothing}]), modules=modules, outputs=[output]).run()
    images = output.rows[0].products["images"]
    assert images.pixels.shape == (0, 56, 11, 4)
    assert images.eta.shape == images.phi.shape == (0,)
