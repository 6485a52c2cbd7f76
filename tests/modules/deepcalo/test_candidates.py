"""Electrons of a collision."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import Job
from eventbraid.errors import DataError
from eventbraid.testing import ListOutput, ListSource
from eventbraid_modules.collisions import Particles
from eventbraid_modules.deepcalo import ElectronCandidates, ElectronFilter
from eventbraid_modules.deepcalo.candidates import candidates
from eventbraid_modules.deepcalo.geometry import ETA_MAX

KINDS = (11, -11, 22, 211, 130, 13)


def particles(*each: tuple[float, float, int]) -> Particles:
    """Of transverse momenta, pseudorapidities and kinds; each is at phi = its number."""
    pt, eta, pdg = (np.array([row[column] for row in each]) for column in range(3))
    phi = np.arange(len(each), dtype=np.float32)
    energy = (pt * np.cosh(eta)).astype(np.float32)
    charge = np.zeros(len(each), np.int8)
    return Particles(pt.astype(np.float32), eta.astype(np.float32), phi, energy, pdg.astype(np.int32), charge)


def test_electrons_positrons_and_photons_of_the_barrel_are_taken_the_hardest_first() -> None:
    found = candidates(
        particles((20, 0.1, 11), (90, 1.5, 11), (40, -1.3, -11), (80, 0.0, 211), (60, 0.5, 22), (14, 0, 22)), 15, 9
    )
    assert found.phi.tolist() == [4, 2, 0]
    assert found.energy == pytest.approx(np.array([60, 40, 20]) * np.cosh([0.5, 1.3, 0.1]))


@given(
    st.lists(st.tuples(st.floats(0.5, 200), st.floats(-3, 3), st.sampled_from(KINDS)), min_size=1, max_size=30),
    st.integers(0, 6),
)
def test_no_more_are_taken_than_wanted_and_none_that_is_left_is_harder(
    rows: list[tuple[float, float, int]], most: int
) -> None:
    given = particles(*rows)
    found = candidates(given, 15, most)
    fit = np.isin(given.pdg, (11, -11, 22)) & (given.pt > 15) & (np.abs(given.eta) < ETA_MAX)
    assert sorted(given.pt[fit], reverse=True)[:most] == given.pt[found.phi.astype(int)].tolist()


def test_an_electron_without_a_momentum_is_named() -> None:
    with pytest.raises(DataError, match=r"particle 1 has pt nan and eta 0\.5"):
        candidates(particles((20, 0.1, 11), (float("nan"), 0.5, 22)), 15, 5)
    assert len(candidates(particles((20, 0.1, 11), (float("nan"), 0.5, 211)), 15, 5)) == 1  # a pion is none of it


async def test_events_pass_with_enough_electrons_and_one_without_particles_has_none() -> None:
    found = particles((30, 0.0, 11), (20, 0.2, 22))
    nothing = Particles(*(getattr(found, name)[:0] for name in Particles.__slots__))
    output = ListOutput(keep=["electrons"])
    events = [(found, [31, 24]), (found, [31, 27]), (nothing, [])]
    job = Job(
        "electrons",
        source=ListSource([{"particles": seen, "energies": np.array(made, np.float32)} for seen, made in events]),
        modules={"electrons": ElectronCandidates(), "two": ElectronFilter(count=2, pt=25)},
        paths={"two": ["two"]},
        outputs=[output],
    )
    report = await job.run_async()
    assert report.paths["two"]["pass"] == 1
    assert sorted(len(row.products["electrons"]) for row in output.rows) == [0, 2, 2]
