"""Jets of a ROOT file that you have: `eventbraid run examples/jets.py --set source.files=mine.root`.

Branches are as in NanoAOD, `Jet_pt`, `Jet_eta`, `Jet_phi`, `Jet_mass`, or `Jet_Px`, `Jet_Py`, `Jet_Pz`, `Jet_E`. Muons
in their place: `--set 'source.branches={"objects": "Muon_*"}'`; a file with several trees: `--set source.tree=Events`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Filter, Input, Job, Output, Parameter, Producer
from eventbraid.outputs import ParquetOutput
from eventbraid.sources import RootSource


@dataclass(frozen=True, slots=True)
class Jets:
    """Jets as the file has them: arrays of one length, in GeV and radians."""

    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    mass: NDArray[np.float64]


def make_jets(branches: dict[str, NDArray[np.float32]]) -> Jets:
    """Jets from branches, known by what stands after the first underscore of their names, in capitals or not."""
    parts = {name.partition("_")[2].lower(): values.astype(np.float64) for name, values in branches.items()}
    if parts.keys() >= {"pt", "eta", "phi", "mass"}:
        return Jets(parts["pt"], parts["eta"], parts["phi"], parts["mass"])
    if not parts.keys() >= {"px", "py", "pz", "e"}:
        raise ValueError(f"branches must end with pt, eta, phi, mass or px, py, pz, e; there is {', '.join(branches)}")
    px, py, pz, energy = parts["px"], parts["py"], parts["pz"], parts["e"]
    pt = np.hypot(px, py)
    mass = np.sqrt(np.maximum(energy**2 - pt**2 - pz**2, 0))
    return Jets(pt, np.arcsinh(pz / pt), np.arctan2(py, px), mass)


class JetMaker(Producer):
    """Makes jets of what the file has."""

    objects = Input[dict[str, NDArray[np.float32]]]("objects")
    jets = Output[Jets]()

    def produce(self, event: Event) -> None:
        event[self.jets] = make_jets(event[self.objects])


class HardJets(Filter):
    """Passes events with enough jets above a threshold."""

    jets = Input[Jets]("jets")
    count = Parameter(1, ge=1, doc="how many")
    pt = Parameter(30.0, ge=0, doc="threshold, GeV")

    def filter(self, event: Event) -> bool:
        return int((event[self.jets].pt > self.pt).sum()) >= self.count


job = Job(
    "jets",
    source=RootSource("events.root", branches={"objects": "Jet_*"}),
    modules={"jets": JetMaker(), "hardJets": HardJets()},
    paths={"hard": ["hardJets"]},
    outputs=[ParquetOutput("jets.parquet", keep=["jets"], select=["hard"])],
    streams=16,
)
