"""Fat jets and their constituents."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from handmade import of_rows

from eventbraid import Job, ModuleError
from eventbraid.errors import DataError
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.clustering import momenta
from eventbraid_modules.collisions.generation import Collision
from eventbraid_modules.toptag import FatJetFinder, JetImageMaker
from eventbraid_modules.toptag.jets import find_fat_jets


def test_a_jets_constituents_add_up_to_its_momentum(collisions: list[Collision]) -> None:
    for event in collisions[:20]:
        jets = find_fat_jets(event.particles)
        found = momenta(jets.constituents)
        sums = np.array([np.bincount(jets.owner, column, len(jets)) for column in found.T]).reshape(4, -1)
        assert np.hypot(sums[0], sums[1]) == pytest.approx(jets.pt)
        assert np.arctan2(sums[1], sums[0]) == pytest.approx(jets.phi)
        assert np.arcsinh(sums[2] / jets.pt) == pytest.approx(jets.eta)
        assert sums[3] ** 2 - (sums[:3] ** 2).sum(axis=0) == pytest.approx(jets.mass**2, rel=1e-6, abs=1e-3)


def test_jets_are_the_hardest_first_above_the_threshold_and_within_eta(collisions: list[Collision]) -> None:
    found = [find_fat_jets(event.particles, pt_min=50, eta_max=1.5, most=3) for event in collisions[:30]]
    assert max(len(jets) for jets in found) == 3
    for jets in found:
        assert (np.diff(jets.pt) <= 0).all()
        assert (jets.pt > 50).all()
        assert (np.abs(jets.eta) < 1.5).all()
        assert (np.diff(jets.owner) >= 0).all()


def test_an_event_has_ten_jets_at_most() -> None:
    around = of_rows([(500 + n, 2 * (n % 2) - 1, -3 + 0.5 * n) for n in range(12)])
    assert find_fat_jets(around, radius=0.3).pt.tolist() == pytest.approx([511 - n for n in range(10)], rel=1e-5)


def test_particles_within_the_radius_are_one_jet_across_the_seam_too() -> None:
    jets = find_fat_jets(of_rows([(300, 0.1, 3.1), (200, 0.1, -3.1), (450, 0, 0.5), (10, 0, 2.0)]))
    assert jets.pt == pytest.approx([500, 450], rel=1e-2)
    assert jets.owner.tolist() == [0, 0, 1]
    assert abs(jets.phi[0]) > 3.1
    assert jets.mass[0] == pytest.approx(np.sqrt(2 * 300 * 200 * (1 - np.cos(2 * np.pi - 6.2))), rel=1e-3)


BAD = [("pt", np.nan), ("eta", np.inf), ("phi", np.nan), ("energy", np.nan), ("pt", -1.0), ("eta", 1e4)]


@pytest.mark.parametrize(("column", "value"), BAD)
def test_a_particle_without_a_momentum_is_told_with_its_number_and_values(column: str, value: float) -> None:
    particles = of_rows([(300, 0.1, 3.1)] * 4)
    getattr(particles, column)[2] = value
    with pytest.raises(DataError, match=rf"particle 2 of 4 has .*{column} {value:g}.*must be finite"):
        find_fat_jets(particles)


def test_a_bad_event_is_told_with_its_event_and_module_and_the_others_pass() -> None:
    events = [{"particles": of_rows([(500, 0, 1)])} for _ in range(3)]
    events[1]["particles"].energy[0] = np.nan
    output = ListOutput(keep=["fatJets"])
    job = Job("t", source=ListSource(events), modules={"fatJets": FatJetFinder()}, outputs=[output], on_error="skip")
    report = job.run()
    assert (report.events.read, report.events.failed, len(output.rows)) == (3, 1, 2)
    with pytest.raises(ModuleError, match=r"module 'fatJets'.*event 1:1:2(.|\n)*particle 0 of 1"):
        replace(job, on_error="stop").run()


def test_an_event_without_particles_or_jets_has_neither_jets_nor_images() -> None:
    events = [{"particles": of_rows(rows)} for rows in ([], [(3, 0, 0)])]
    output = ListOutput(keep=["fatJets", "images"])
    modules = {"fatJets": FatJetFinder(), "images": JetImageMaker()}
    Job("t", source=ListSource(events), modules=modules, outputs=[output]).run()
    for row in output.rows:
        assert len(row.products["fatJets"]) == 0
        assert row.products["images"].pixels.shape == (0, 3, 32, 32)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.floats(0, 2000, width=32), st.floats(-4, 4, width=32), st.floats(-3.125, 3.125, width=32)),
        max_size=30,
    )
)
def test_whatever_the_particles_each_constituent_is_of_one_jet(rows: list[tuple[float, float, float]]) -> None:
    jets = find_fat_jets(of_rows(rows), pt_min=20)
    assert len(jets.constituents) == len(jets.owner) <= len(rows)
    assert set(jets.owner.tolist()) == set(range(len(jets)))
