"""A trigger menu: four paths, quick filters first, FACILE only for events that one of them lets through."""

from eventbraid import Job
from eventbraid.outputs import ParquetOutput
from eventbraid_modules.hlt import (
    CollisionSource,
    FacileEnergies,
    HcalDigitizer,
    JetFilter,
    JetFinder,
    Level1Jets,
    Level1Missing,
    Level1Regions,
    MissingFilter,
    MissingMomentum,
    TowerMaker,
)

job = Job(
    "trigger menu",
    source=CollisionSource(events=200, seed=1),
    modules={
        "hcalDigis": HcalDigitizer(),
        "level1": Level1Regions(),
        "level1Jet": Level1Jets(count=1, pt=80),
        "level1Jets": Level1Jets(count=3, pt=25),
        "level1Missing": Level1Missing(pt=80),
        "energies": FacileEnergies(model="facile"),  # or on the CPU, by rule: TemplateEnergies()
        "towers": TowerMaker(),
        "jets": JetFinder(),
        "missing": MissingMomentum(),
        "oneJet": JetFilter(count=1, pt=120),
        "fourJets": JetFilter(count=4, pt=40),
        "largeMissing": MissingFilter(pt=100),
    },
    paths={
        "jet": ["level1Jet", "oneJet"],
        "fourJets": ["level1Jets", "fourJets"],
        "missing": ["level1Missing", "largeMissing"],
        "level1": ["level1Jet"],  # needs no network
    },
    outputs=[ParquetOutput("trigger_menu.parquet", keep=["jets", "missing"], select=["jet", "fourJets", "missing"])],
    streams=16,
)
