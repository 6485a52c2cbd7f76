"""The lines of the papers' figures that are measured with real processes, each at its scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from benchmarks.figures.scaled import Scale, scaled
from eventbraid.studies.simulation import Study
from eventbraid.studies.simulation.published import deepcalo, facile, hlt, protodune, resnet50

__all__ = ["SETUPS", "Setup"]

CLIENTS: Final = (1, 10, 24)
"""Below and above those that load the GPUs."""
QUICK: Final = (1, 2)


@dataclass(frozen=True, slots=True)
class Setup:
    """A line of a figure, at the scale at which real processes can be its clients."""

    figure: str
    what: str
    study: Study
    """As published."""
    scale: Scale
    module: bool = False
    """True where the figure shows the module's time, and not events/s."""
    clients: tuple[int, ...] = CLIENTS

    @property
    def named(self) -> tuple[str, str, str]:
        """Figure, line and scale, as text."""
        return self.figure, self.what, str(self.scale)

    @property
    def scaled(self) -> Study:
        """What is measured, and simulated beside."""
        return scaled(self.study, self.scale)

    def quick(self) -> Setup:
        """With few clients and events."""
        study = replace(self.study, client=replace(self.study.client, events=4))
        return replace(self, study=study, clients=QUICK)


LARGE: Final = Scale(time=0.01, load=20, joined=8)
SMALL: Final = Scale(time=0.01, load=20, joined=47)
DEEPCALO: Final = Scale(time=8, load=2.5)

SETUPS: Final = (
    Setup("A Fig. 5", "4 GPUs, 235 rows", protodune(235, 1, events=6), SMALL, module=True),
    Setup("A Fig. 5", "4 GPUs, 1693 rows", protodune(1693, 1, events=6), LARGE, module=True),
    Setup("A Fig. 5", "the same, dynamic batching", protodune(1693, 1, dynamic=True, events=6), LARGE, module=True),
    Setup("B Fig. 3", "trigger, 1 GPU", hlt(1, events=12), Scale(load=17)),
    Setup("B Fig. 5", "FACILE, 4 GPUs", facile(4, 1, events=12), Scale(time=4, load=16)),
    Setup("B Fig. 6", "DeepCalo, alone", deepcalo(1, dynamic=False, events=12), DEEPCALO),
    Setup("B Fig. 6", "the same, dynamic batching", deepcalo(1, dynamic=True, events=12), DEEPCALO),
    Setup("B Fig. 7", "ResNet-50, 4 GPUs", resnet50(4, 1, events=12), Scale(load=4)),
)
