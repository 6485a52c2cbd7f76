"""A trigger job: the energies of 16,000 calorimeter channels by FACILE as a service, jets, two paths."""

from eventbraid import Job
from eventbraid.outputs import ParquetOutput
from eventbraid_modules.hlt import (
    CollisionSource,
    FacileEnergies,
    HcalDigitizer,
    JetFilter,
    JetFinder,
    MissingFilter,
    MissingMomentum,
    TowerMaker,
)

job = Job(
    "hlt",
    source=CollisionSource(events=200, seed=1),
    modules={
        "hcalDigis": HcalDigitizer(),
        "energies": FacileEnergies(model="facile"),  # or on the CPU, by rule: TemplateEnergies()
        "towers": TowerMaker(),
        "jets": JetFinder(),
        "missing": MissingMomentum(),
        "fourJets": JetFilter(count=4, pt=40),
        "largeMissing": MissingFilter(pt=70),
    },
    paths={"jets": ["fourJets"], "met": ["largeMissing"]},
    outputs=[ParquetOutput("hlt.parquet", keep=["jets", "missing"], select=["jets", "met"])],
    streams=16,
)
