"""A trigger on simulated collisions: HCAL energies with FACILE as a service, towers, jets, decisions.

After Krupa et al. 2021 (arXiv:2007.10359), sections 4.1 and 5.1.
"""

from eventbraid_modules.collisions.particles import Particles
from eventbraid_modules.collisions.source import CollisionSource
from eventbraid_modules.hlt.digitizer import HcalDigis, HcalDigitizer, TrueEnergies
from eventbraid_modules.hlt.energies import FacileEnergies, TemplateEnergies
from eventbraid_modules.hlt.filters import JetFilter, MissingFilter
from eventbraid_modules.hlt.jets import JetFinder, Jets
from eventbraid_modules.hlt.level1 import Level1Jets, Level1Missing, Level1Regions, Regions
from eventbraid_modules.hlt.missing import Missing, MissingMomentum
from eventbraid_modules.hlt.performance import EnergyResolution, JetPerformance
from eventbraid_modules.hlt.towers import TowerMaker, Towers

__all__ = [
    "CollisionSource",
    "EnergyResolution",
    "FacileEnergies",
    "HcalDigis",
    "HcalDigitizer",
    "JetFilter",
    "JetFinder",
    "JetPerformance",
    "Jets",
    "Level1Jets",
    "Level1Missing",
    "Level1Regions",
    "Missing",
    "MissingFilter",
    "MissingMomentum",
    "Particles",
    "Regions",
    "TemplateEnergies",
    "TowerMaker",
    "Towers",
    "TrueEnergies",
]
