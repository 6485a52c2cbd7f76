"""Cosmic rays in a liquid-argon detector: waveforms, hits, and what made each, with EmTrackMichelId as a service.

After Wang et al. 2021 (arXiv:2009.04509), section 2.
"""

from eventbraid_modules.protodune.deconvolution import Deconvolution, Signals
from eventbraid_modules.protodune.detector import Detector
from eventbraid_modules.protodune.hits import HitFinder, Hits
from eventbraid_modules.protodune.identification import EmTrackMichelId, GeometricId
from eventbraid_modules.protodune.ionisation import Ionisation, Kind
from eventbraid_modules.protodune.patches import Patches
from eventbraid_modules.protodune.readout import Arrivals, Waveforms, WireReadout
from eventbraid_modules.protodune.source import CosmicSource
from eventbraid_modules.protodune.study import IdentificationStudy
from eventbraid_modules.protodune.truth import HitTruth

__all__ = [
    "Arrivals",
    "CosmicSource",
    "Deconvolution",
    "Detector",
    "EmTrackMichelId",
    "GeometricId",
    "HitFinder",
    "HitTruth",
    "Hits",
    "IdentificationStudy",
    "Ionisation",
    "Kind",
    "Patches",
    "Signals",
    "Waveforms",
    "WireReadout",
]
