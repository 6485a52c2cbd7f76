"""Figures of merit of energies, jets and missing momentum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventbraid import Job
from eventbraid.testing import ListSource
from eventbraid_modules.hlt import EnergyResolution, JetPerformance, Jets, Missing
from eventbraid_modules.hlt.performance import match


def jets(*each: tuple[float, float, float]) -> Jets:
    """Jets of these pt, eta, phi."""
    columns = np.array(each, np.float64).reshape(len(each), 3).T
    return Jets(*columns, np.zeros(len(each)))


def test_a_true_jet_has_the_hardest_jet_near_it_also_across_the_seam_in_phi() -> None:
    found = jets((80, 0.0, 0.05), (50, 0.1, 6.2), (20, 2.0, 3.0))
    truth = jets((100, 0.0, 6.25), (40, 2.0, 3.1), (35, -2.0, 1.0), (10, 0.0, 1.0), (60, 4.0, 1.0))
    responses = match(found, truth, 30, 2.5, 0.3)
    assert responses[:2].tolist() == [0.8, 0.5]
    assert np.isnan(responses[2])
    assert len(responses) == 3


@given(st.integers(0, 5))
def test_where_no_jet_is_found_every_true_one_is_missed(count: int) -> None:
    truth = jets(*[(50.0, 0.1 * n, 1.0) for n in range(count)])
    assert np.isnan(match(jets(), truth, 30, 2.5, 0.3)).all()


def test_the_energies_figures_are_rms_and_bias_in_ranges_of_the_truth() -> None:
    truth = np.array([0, 0, 2, 4, 20], np.float32)
    energies = np.array([0.3, -0.3, 3, 5, 18], np.float32)
    source = ListSource([{"energies": energies, "trueEnergies": truth}] * 3)
    figures = Job("t", source=source, modules={"a": EnergyResolution()}).run().figures["a"]
    assert figures["RMS below 0.5 GeV, GeV"] == pytest.approx(0.3)
    assert figures["bias below 0.5 GeV, GeV"] == pytest.approx(0, abs=1e-6)
    assert figures["RMS 1 to 10 GeV, GeV"] == figures["bias 1 to 10 GeV, GeV"] == pytest.approx(1)
    assert figures["bias above 10 GeV, GeV"] == pytest.approx(-2)


def test_the_jets_figures_are_response_resolution_and_missing_momentum() -> None:
    events = [
        {
            "trueJets": jets((100, 0, 1)),
            "jets": jets((response, 0, 1)),
            "missing": Missing(10.0, 0.0, 0.0),
            "trueMissing": Missing(10.0, 0.0, 0.0),
        }
        for response in np.linspace(80, 120, 201)
    ]
    events.append({**events[0], "jets": jets()})
    figures = Job("t", source=ListSource(events), modules={"a": JetPerformance()}).run().figures["a"]
    assert figures["true jets"] == 202
    assert figures["found, %"] == pytest.approx(100 * 201 / 202)
    assert figures["response, median"] == pytest.approx(1)
    assert figures["resolution, %"] == pytest.approx(13.6, abs=0.1)
    assert figures["missing momentum, resolution of x and y, GeV"] == 0


def test_a_job_without_events_has_no_figures() -> None:
    modules = {"energies": EnergyResolution(energies="found"), "jets": JetPerformance(jets="someJets")}
    source = ListSource([{"found": 0, "trueEnergies": 0, "someJets": 0, "missing": 0, "trueJets": 0, "trueMissing": 0}])
    assert Job("t", source=source, modules=modules, events=0).run().figures == {"energies": {}, "jets": {}}
