"""FACILE and the fit of pulses on the same collisions, with the resolution of energies, jets and missing momentum."""

from eventbraid import Job
from eventbraid_modules.hlt import (
    CollisionSource,
    EnergyResolution,
    FacileEnergies,
    HcalDigitizer,
    JetFinder,
    JetPerformance,
    MissingMomentum,
    TemplateEnergies,
    TowerMaker,
    TrueEnergies,
)

job = Job(
    "facile",
    source=CollisionSource(events=200, seed=1),
    modules={
        "hcalDigis": HcalDigitizer(),
        "trueEnergies": TrueEnergies(),
        "trueTowers": TowerMaker(energies="trueEnergies"),
        "trueJets": JetFinder(towers="trueTowers"),
        "trueMissing": MissingMomentum(towers="trueTowers"),
        "facile": FacileEnergies(model="facile"),
        "facileTowers": TowerMaker(energies="facile"),
        "facileJets": JetFinder(towers="facileTowers"),
        "facileMissing": MissingMomentum(towers="facileTowers"),
        "fit": TemplateEnergies(),
        "fitTowers": TowerMaker(energies="fit"),
        "fitJets": JetFinder(towers="fitTowers"),
        "fitMissing": MissingMomentum(towers="fitTowers"),
        "energiesOfFacile": EnergyResolution(energies="facile"),
        "energiesOfFit": EnergyResolution(energies="fit"),
        "jetsOfFacile": JetPerformance(jets="facileJets", missing="facileMissing"),
        "jetsOfFit": JetPerformance(jets="fitJets", missing="fitMissing"),
    },
    streams=16,
)
