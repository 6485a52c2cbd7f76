"""What the tests share: small samples of the simulation, and the repository of an untrained network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from untrained import write_untrained

from eventbraid_modules.protodune import Arrivals, Detector, Hits, Ionisation, Signals, Waveforms
from eventbraid_modules.protodune.cosmics import Rates
from eventbraid_modules.protodune.deconvolution import deconvolve
from eventbraid_modules.protodune.hits import find_hits
from eventbraid_modules.protodune.readout import arrivals_of, digitise, drift
from eventbraid_modules.protodune.source import simulate


class Reconstructed(NamedTuple):
    """An event with all that was made on the way."""

    detector: Detector
    ionisation: Ionisation
    arrivals: Arrivals
    waveforms: Waveforms
    signals: Signals
    hits: Hits


@pytest.fixture(scope="session")
def event() -> Reconstructed:
    """An event with muons, a Michel electron and a shower."""
    detector = Detector()
    ionisation = simulate(detector, Rates(crossing=1, stopping=3, showers=2), seed=3, number=1)
    rng = np.random.default_rng(3)
    arrivals = arrivals_of(detector, drift(ionisation, rng))
    waveforms = Waveforms(digitise(detector, arrivals, 2.5, rng), detector)
    signals = deconvolve(waveforms)
    return Reconstructed(detector, ionisation, arrivals, waveforms, signals, find_hits(signals, 4.0))


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the network's exact layers and weights drawn at random."""
    return write_untrained(tmp_path_factory.mktemp("models"))
