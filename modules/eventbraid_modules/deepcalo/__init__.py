"""Electron energies from calorimeter images, with DeepCalo as a service.

After Krupa et al. 2021 (arXiv:2007.10359), sections 4.2 and 5.2.2.
"""

from eventbraid_modules.deepcalo.candidates import ElectronCandidates, ElectronFilter
from eventbraid_modules.deepcalo.cells import Cells, ShowerSimulator
from eventbraid_modules.deepcalo.electrons import Electrons, ElectronSource
from eventbraid_modules.deepcalo.energies import DeepCaloEnergies, SummedEnergies
from eventbraid_modules.deepcalo.images import ImageMaker, Images
from eventbraid_modules.deepcalo.resolution import EnergyResolution

__all__ = [
    "Cells",
    "DeepCaloEnergies",
    "ElectronCandidates",
    "ElectronFilter",
    "ElectronSource",
    "Electrons",
    "EnergyResolution",
    "ImageMaker",
    "Images",
    "ShowerSimulator",
    "SummedEnergies",
]
