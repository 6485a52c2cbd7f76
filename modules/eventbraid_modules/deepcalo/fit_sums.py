"""Fits the weights of `calibration` again and prints them: `python -m eventbraid_modules.deepcalo.fit_sums`."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from eventbraid_modules.deepcalo.calibration import BINS, bins, layer_sums
from eventbraid_modules.deepcalo.sample import draw_sample
from eventbraid_modules.statistics import effective_resolution

__all__ = ["fit", "main"]

Array = NDArray[np.float32]
ROUNDS: Final = 6
"""Of the fit, after each of which electrons beyond three times the effective resolution are left out."""


def fit(sums: Array, eta: Array, energy: Array) -> NDArray[np.float64]:
    """Coefficients (7, 5) that bring found over true energy nearest to 1, by least squares without the tails."""
    found = np.zeros((BINS, 5))
    for number in range(BINS):
        chosen = bins(eta) == number
        terms = np.column_stack([np.ones(np.count_nonzero(chosen)), sums[chosen]]) / energy[chosen, None]
        kept = np.ones(len(terms), bool)
        for _ in range(ROUNDS):
            found[number] = np.linalg.lstsq(terms[kept], np.ones(np.count_nonzero(kept)), rcond=None)[0]
            ratios = terms @ found[number]
            kept = np.abs(ratios - 1) < 3 * effective_resolution(ratios)
    return found


def main(electrons: int = 40_000) -> None:
    """Fit on the sample that the network is trained on, and print."""
    sample = draw_sample(electrons, 1)
    for row in fit(layer_sums(sample.pixels), sample.eta, sample.energy):
        print(f"        [{', '.join(f'{value:.4f}' for value in row)}],")  # noqa: T201


if __name__ == "__main__":
    main()
