"""Top quarks in fat jets of a ROOT file: `eventbraid run examples/toptag_root.py --set source.files=mine.root`.

Jets are found from their constituents or from all particles of an event: branches as in NanoAOD with candidates,
`PFCands_pt`, `_eta`, `_phi`, `_mass`, `_charge`. Others: `--set 'source.branches={"candidates": "Cand_*"}'`.
"""

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Job, Output, Producer
from eventbraid.outputs import ParquetOutput
from eventbraid.sources import RootSource
from eventbraid_modules.collisions import Particles
from eventbraid_modules.toptag import FatJetFinder, JetImageMaker, ResNetTagger, ShapeTagger

Branches = dict[str, NDArray[np.float32]]
NEEDED = {"pt", "eta", "phi", "mass", "charge"}


def make_particles(branches: Branches) -> Particles:
    """Particles from branches, known by what stands after the first underscore of their names, in capitals or not."""
    parts = {name.partition("_")[2].lower(): values for name, values in branches.items()}
    if missing := sorted(NEEDED - parts.keys()):
        raise ValueError(f"no branch ends with {', '.join(missing)}; there is {', '.join(branches) or 'none'}")
    pt, eta, phi, mass = (parts[name].astype(np.float32) for name in ("pt", "eta", "phi", "mass"))
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
    pdg = parts.get("pdgid", np.zeros(len(pt)))  # nothing here looks at it
    return Particles(pt, eta, phi, energy, pdg.astype(np.int32), parts["charge"].astype(np.int8))


class ParticleMaker(Producer):
    """Makes particles of what the file has."""

    candidates = Input[Branches]("candidates")
    particles = Output[Particles]()

    def produce(self, event: Event) -> None:
        event[self.particles] = make_particles(event[self.candidates])


job = Job(
    "toptag of a file",
    source=RootSource("events.root", branches={"candidates": "PFCands_*"}),
    modules={
        "particles": ParticleMaker(),
        "fatJets": FatJetFinder(),
        "jetImages": JetImageMaker(),
        "scores": ResNetTagger(model="toptag"),
        "shapes": ShapeTagger(),
    },
    outputs=[ParquetOutput("toptag.parquet", keep=["scores", "shapes"])],
    streams=16,
)
