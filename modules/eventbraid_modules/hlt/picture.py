"""Draws the turn-on curves of the trigger with FACILE and with the fit: `python -m eventbraid_modules.hlt.picture`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Job
from eventbraid.errors import need_extra
from eventbraid.testing import ListOutput
from eventbraid_modules.collisions import CollisionSource
from eventbraid_modules.hlt.digitizer import HcalDigitizer, TrueEnergies
from eventbraid_modules.hlt.energies import FacileEnergies, TemplateEnergies
from eventbraid_modules.hlt.jets import JetFinder
from eventbraid_modules.hlt.missing import MissingMomentum
from eventbraid_modules.hlt.towers import TowerMaker
from eventbraid_modules.statistics import efficiency

__all__ = ["draw", "main", "products"]

FOURTH_GEV, MISSING_GEV = 40.0, 70.0
"""The thresholds of the paths of examples/hlt.py."""
CHAINS: Final = {"true": TrueEnergies(), "FACILE": FacileEnergies(model="facile"), "fit": TemplateEnergies()}
COLOURS: Final = {"FACILE": "tab:red", "fit": "tab:blue"}


def products(events: int, seed: int) -> Mapping[str, NDArray[np.float64]]:
    """The fourth jet's pt and the missing pt of each event, GeV, shape (events, 2), by chain: true, FACILE, fit."""
    modules: dict[str, Any] = {"hcalDigis": HcalDigitizer()}
    for name, energies in CHAINS.items():
        modules |= {
            name: energies,
            f"{name}Towers": TowerMaker(energies=name),
            f"{name}Jets": JetFinder(towers=f"{name}Towers"),
            f"{name}Missing": MissingMomentum(towers=f"{name}Towers"),
        }
    output = ListOutput(keep=[f"{name}{what}" for name in CHAINS for what in ("Jets", "Missing")])
    Job("turn-on", source=CollisionSource(events=events, seed=seed), modules=modules, outputs=[output]).run()
    return {
        name: np.array(
            [
                (np.pad(row.products[f"{name}Jets"].pt, (0, 4))[3], row.products[f"{name}Missing"].pt)
                for row in output.rows
            ]
        )
        for name in CHAINS
    }


def draw(found: Mapping[str, NDArray[np.float64]], file: Path) -> None:
    """Write the picture."""
    figure: Any = need_extra("matplotlib.figure", "plots", "drawing turn-on curves").Figure(
        figsize=(9, 3.6), layout="constrained"
    )
    panels = (("fourth jet, transverse momentum", FOURTH_GEV, 100), ("missing transverse momentum", MISSING_GEV, 160))
    for column, (axes, (title, threshold, end)) in enumerate(zip(figure.subplots(1, 2), panels, strict=True)):
        edges = [end * each / 16 for each in range(17)]
        middles = [sum(each) / 2 for each in pairwise(edges)]
        for name, colour in COLOURS.items():
            share, error = efficiency(found["true"][:, column], found[name][:, column] > threshold, edges)
            axes.errorbar(middles, share, error, fmt="o-", ms=3, color=colour, label=name)
        axes.axvline(threshold, color="grey", lw=0.8, ls="--")
        axes.set(xlabel=f"true {title}, GeV", ylabel=f"share of events above {threshold:g} GeV", ylim=(-0.03, 1.03))
    figure.axes[0].legend(frameon=False)
    figure.savefig(file, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the three chains on collisions that FACILE was not trained on, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--file", type=Path, default=Path("turn_on.png"))
    options = parser.parse_args(arguments)
    draw(products(options.events, options.seed), options.file)


if __name__ == "__main__":
    main()
