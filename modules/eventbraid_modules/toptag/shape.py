"""The rule in the network's place: a window in the groomed mass, and how well three subjets describe the jet."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Event, Input, Output, Parameter, Producer
from eventbraid_modules.clustering import cluster, fastjet, momenta
from eventbraid_modules.toptag.jets import RADIUS, FatJets
from eventbraid_modules.toptag.scores import TopScores

__all__ = ["ShapeTagger", "shape_scores", "shapes", "soft_drop_mass", "subjettiness"]

Array = NDArray[np.float64]
ONE_JET: Final = 1e3
"""A radius in which everything is one jet."""
Z_CUT: Final = 0.1
WINDOW: Final = (105.0, 210.0)
"""In groomed mass, GeV: that of CMS for jets of R = 0.8 (CMS 2020, arXiv:2004.08262)."""


def soft_drop_mass(found: Array, z_cut: float = Z_CUT) -> float:
    """Mass of a jet of momenta (n, 4), GeV, without its soft parts at wide angles.

    Soft drop with beta = 0 (Larkoski et al. 2014, arXiv:1402.2657): of the Cambridge/Aachen clustering, the softer of
    two parts is left out until it has more than `z_cut` of their transverse momentum.
    """
    library = fastjet()
    sequence = cluster(found, "cambridge", ONE_JET)
    jet = library.sorted_by_pt(sequence.inclusive_jets())[0]
    while True:
        hard, soft = library.PseudoJet(), library.PseudoJet()
        if not jet.has_parents(hard, soft):
            return float(jet.m())
        if soft.pt() > z_cut * (hard.pt() + soft.pt()):
            return float(jet.m())
        jet = hard


def subjettiness(found: Array, counts: tuple[int, ...], radius: float = RADIUS) -> Array:
    """N-subjettiness of a jet of momenta (n, 4) for each N of `counts`: how far pt is from the nearest of N axes.

    Thaler and Van Tilburg 2010 (arXiv:1011.2268) with beta = 1; the axes are the N subjets of the kt algorithm. It is
    0 for a jet of N particles or fewer.
    """
    sequence = cluster(found, "kt", ONE_JET)
    pt = np.hypot(found[:, 0], found[:, 1])
    places = np.array([(each.rap(), each.phi()) for each in sequence.jets()[: len(found)]])
    scale = max(float(pt.sum()) * radius, np.finfo(np.float64).tiny)
    tau = np.zeros(len(counts))
    for number, count in enumerate(counts):
        if count < len(found):
            axes: list[Any] = sequence.exclusive_jets(count)
            apart = places[:, None] - np.array([(axis.rap(), axis.phi()) for axis in axes])
            apart[..., 1] = np.mod(apart[..., 1] + np.pi, 2 * np.pi) - np.pi
            tau[number] = pt @ np.hypot(apart[..., 0], apart[..., 1]).min(axis=1) / scale
    return tau


def shapes(jets: FatJets) -> tuple[Array, Array]:
    """Groomed mass, GeV, and tau_3 over tau_2 of each jet, shapes (n,); the ratio is 1 where tau_2 is 0."""
    all_of_them = momenta(jets.constituents)
    mass, ratio = np.zeros(len(jets)), np.ones(len(jets))
    for jet in range(len(jets)):
        own = all_of_them[jets.owner == jet]
        mass[jet] = soft_drop_mass(own)
        two, three = subjettiness(own, (2, 3))
        ratio[jet] = three / two if two > 0 else 1
    return mass, ratio


def shape_scores(mass: Array, ratio: Array, low: float = WINDOW[0], high: float = WINDOW[1]) -> NDArray[np.float32]:
    """1 - tau_3/tau_2 in the upper half of the scale for jets within the window, in the lower half for others."""
    inside = (mass >= low) & (mass <= high)
    return ((inside + 1 - np.clip(ratio, 0, 1)) / 2).astype(np.float32)


class ShapeTagger(Producer):
    """Scores jets by groomed mass and N-subjettiness: the rule-based alternative to the network."""

    jets = Input[FatJets]("fatJets")
    scores = Output[TopScores]()
    low = Parameter(WINDOW[0], ge=0, doc="lowest groomed mass of a top quark, GeV")
    high = Parameter(WINDOW[1], gt=0, doc="highest, GeV")

    def begin_job(self) -> None:
        fastjet()  # what is missing is told before the first event

    def produce(self, event: Event) -> None:
        event[self.scores] = TopScores(shape_scores(*shapes(event[self.jets]), self.low, self.high))
