"""Trains EmTrackMichelId on the simulation: `python -m eventbraid_modules.protodune.train_emtrackmichelid`.

The network is that of Wang et al. 2021 (arXiv:2009.04509, section 2.2), with its two dropout layers; the paper gives
neither loss nor optimiser: cross entropy of the three classes, binary cross entropy of the Michel branch, Adam.
Patches are turned over in wire and time at random. Needs the extra `training`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules import training
from eventbraid_modules.protodune.cosmics import Rates
from eventbraid_modules.protodune.deconvolution import deconvolve
from eventbraid_modules.protodune.detector import Detector
from eventbraid_modules.protodune.hits import find_hits
from eventbraid_modules.protodune.identification import classify
from eventbraid_modules.protodune.ionisation import Kind
from eventbraid_modules.protodune.network import FILTERS, KERNEL, LAYERS, MAPS
from eventbraid_modules.protodune.patches import SIDE, cut_patches
from eventbraid_modules.protodune.readout import Waveforms, arrivals_of, digitise, drift
from eventbraid_modules.protodune.source import simulate
from eventbraid_modules.protodune.study import confusion
from eventbraid_modules.protodune.truth import NONE, match

__all__ = ["build", "main", "sample", "train", "write"]

SEED: Final = 2009_04509
"""Of the training sample; no job's."""
BATCH: Final = 64
EPOCHS: Final = 3
EVENTS: Final = 700
RATES: Final = Rates(crossing=0.6, stopping=1.2, showers=0.6)
"""More Michel electrons than in the jobs."""
KEPT: Final = {Kind.TRACK: 45, Kind.SHOWER: 45, Kind.MICHEL: 1000, NONE: 6}
"""At most so many hits of each kind are taken of an event."""
DROPOUT: Final = 0.2
RATE: Final = 1e-3
"""The largest learning rate."""
MICHEL_WEIGHT: Final = 1.5
"""Of hits of Michel electrons in the loss of that branch: at a score of 0.5, efficiency comes before purity."""
CHANNEL_LAST: Final = (0, 2, 3, 1)
"""The order of axes in which maps are flattened: in training that of memory, which is three times as fast."""
CONFIG: Final = """\
name: "emtrackmichelid"
platform: "onnxruntime_onnx"
max_batch_size: 1693
input [ { name: "patches" data_type: TYPE_FP32 dims: [ 48, 48, 1 ] } ]
output [
  { name: "track_em_none" data_type: TYPE_FP32 dims: [ 3 ] },
  { name: "michel" data_type: TYPE_FP32 dims: [ 1 ] }
]
"""


def sample(events: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Patches (n, 48, 48) and what made their hits (n,), `Kind` or NONE, of so many events."""
    detector = Detector()
    patches, kinds = [], []
    for number in range(1, events + 1):
        rng = np.random.default_rng([seed, number, 1])
        arrivals = arrivals_of(detector, drift(simulate(detector, RATES, seed, number), rng))
        signals = deconvolve(Waveforms(digitise(detector, arrivals, 2.5, rng), detector))
        hits = find_hits(signals, 4.0)
        kind = match(hits, arrivals, detector.ticks)
        order = rng.permutation(len(hits))
        chosen = np.sort(np.concatenate([order[kind[order] == each][:most] for each, most in KEPT.items()]))
        kinds.append(kind[chosen])
        patches.append(cut_patches(signals, hits.of(chosen)))
    return np.concatenate(patches), np.concatenate(kinds)


def train(patches: NDArray[np.float32], kinds: NDArray[np.int8], epochs: int, seed: int = 1) -> Any:
    """The trained torch module."""
    torch = training.torch(seed)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads such; a tenth of the time
    network = _network(torch).to(memory_format=torch.channels_last)
    x, kind = torch.from_numpy(patches)[..., None], torch.from_numpy(kinds).long()
    michel = (kind == Kind.MICHEL).float()[:, None]
    label = torch.where(kind == Kind.MICHEL, int(Kind.SHOWER), torch.where(kind == NONE, 2, kind))
    weight = torch.tensor(MICHEL_WEIGHT)
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)

    def loss(chosen: Any) -> Any:
        turned = [side + 1 for side in range(2) if torch.rand(()) < 0.5]
        classes, score = network.logits(x[chosen].flip(turned))
        entropy = torch.nn.functional.cross_entropy(classes, label[chosen])
        return entropy + torch.nn.functional.binary_cross_entropy_with_logits(score, michel[chosen], pos_weight=weight)

    training.fit(optimiser, loss, len(x), batch=BATCH, epochs=epochs)
    return network.eval()


def _network(torch: Any) -> Any:
    nn, base = torch.nn, torch.nn.Module

    class EmTrackMichelId(base):  # type: ignore[valid-type, misc]  # torch is imported late, and so has no types
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(1, FILTERS, KERNEL)
            for name in ("first", "second", "classes", "michel"):
                outputs, inputs = LAYERS[name]
                setattr(self, name, nn.Linear(inputs, outputs))
            self.order = CHANNEL_LAST
            self.map_dropout = nn.Dropout2d(DROPOUT)  # whole maps: neighbours in a map know each other's charge
            self.dropout = nn.Dropout(DROPOUT)

        def logits(self, patches: Any) -> tuple[Any, Any]:
            """The branches before softmax and sigmoid."""
            maps = nn.functional.relu(self.convolution(patches.permute(0, 3, 1, 2)))
            flat = self.map_dropout(maps).permute(*self.order).flatten(1)
            hidden = self.dropout(nn.functional.relu(self.first(flat)))
            hidden = nn.functional.relu(self.second(hidden))
            return self.classes(hidden), self.michel(hidden)

        def forward(self, patches: Any) -> tuple[Any, Any]:
            classes, michel = self.logits(patches)
            return torch.softmax(classes, 1), torch.sigmoid(michel)

    return EmTrackMichelId()


def build(folder: Path, *, events: int = EVENTS, epochs: int = EPOCHS) -> None:
    """Train and write the model: the builder "emtrackmichelid" of `eventbraid models build`."""
    training.torch(1)  # what is missing is told before a minute of sampling
    write(train(*sample(events, SEED), epochs), folder)


def write(network: Any, folder: Path) -> None:
    """Write the network as a model: "patches" (rows, 48, 48, 1) to "track_em_none" (rows, 3) and "michel" (rows, 1).

    A server has maps with the channel first: the weights of the first dense layer are put into that order.
    """
    torch = training.torch(1)
    channels, wires, times = MAPS
    served = _network(torch)
    served.load_state_dict(network.state_dict())
    served.order = (0, 1, 2, 3)
    weights = network.first.weight.detach().view(-1, wires, times, channels)
    served.first.weight.data = weights.permute(0, 3, 1, 2).flatten(1).contiguous()
    inputs = {"patches": torch.zeros((2, SIDE, SIDE, 1))}
    training.write(served, folder, inputs, ("track_em_none", "michel"), CONFIG)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, write the model, and compare it with the geometric rule on hits that it has not seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what the model is written into")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args(arguments)
    torch = training.torch(1)
    network = train(*sample(options.events, SEED), options.epochs)
    write(network, options.folder)
    patches, kinds = sample(30, SEED + 1)
    with torch.no_grad():
        parts = [torch.cat(network(part[..., None]), 1) for part in torch.from_numpy(patches).split(BATCH)]
    for name, scores in (("EmTrackMichelId", torch.cat(parts).numpy()), ("geometry", classify(patches))):
        print(f"{name}: true track, em, none by what was found\n{confusion(scores, kinds)}")  # noqa: T201
        found, michel = scores[:, -1] > 0.5, kinds == Kind.MICHEL
        counts = (int((found & michel).sum()), int(michel.sum()), int(found.sum()))
        print("Michel hits found {}, of {}; taken for such {}".format(*counts))  # noqa: T201


if __name__ == "__main__":
    main()
