"""Draws the page's picture: `python -m eventbraid_modules.deepcalo.picture FILE`, with the model that is built here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.cache import cache_folder
from eventbraid.errors import need_extra
from eventbraid_modules.deepcalo.calibration import calibrated, layer_sums
from eventbraid_modules.deepcalo.geometry import IMAGE, LAYERS, PIXEL_ETA, PIXEL_PHI
from eventbraid_modules.deepcalo.sample import Sample, draw_sample
from eventbraid_modules.statistics import effective_resolution

__all__ = ["draw", "main"]

EDGES: Final = (10, 15, 22, 32, 48, 70, 105, 155, 250)
"""Of the bins in true energy, GeV."""


def draw(sample: Sample, energies: NDArray[np.float32], file: Path) -> None:
    """An image of the sample, and the resolutions of the found energies and of the calibrated sums."""
    pyplot: Any = need_extra("matplotlib.figure", "plots", "drawing a picture")
    figure = pyplot.Figure(figsize=(10, 4.2), layout="constrained")
    grid = figure.add_gridspec(2, 4)
    shown = int(np.abs(sample.energy - 60).argmin())
    half_eta, half_phi = IMAGE[0] * PIXEL_ETA / 2, IMAGE[1] * PIXEL_PHI / 2
    for number, layer in enumerate(LAYERS):
        axes = figure.add_subplot(grid[number // 2, number % 2])
        pixels = np.maximum(sample.pixels[shown, :, :, number].T, 0) ** 0.5
        axes.imshow(pixels, aspect="auto", origin="lower", extent=(-half_eta, half_eta, -half_phi, half_phi))
        axes.set_title(layer.name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.set_xticks([-0.05, 0, 0.05])
        axes.set_yticks([-0.1, 0, 0.1])
        if number >= 2:
            axes.set_xlabel("eta from the middle", fontsize=8)
        if number % 2 == 0:
            axes.set_ylabel("phi from the middle", fontsize=8)
    axes = figure.add_subplot(grid[:, 2:])
    sums = calibrated(layer_sums(sample.pixels), sample.eta)
    middles = [(low * high) ** 0.5 for low, high in pairwise(EDGES)]
    for name, found, mark in (("calibrated sums", sums, "s"), ("DeepCalo", energies, "o")):
        ratios = found / sample.energy
        bins = [ratios[(sample.energy >= low) & (sample.energy < high)] for low, high in pairwise(EDGES)]
        axes.plot(middles, [100 * effective_resolution(each) for each in bins], marker=mark, label=name)
    axes.set(xscale="log", xlabel="true energy, GeV", ylabel="effective resolution, %", ylim=(0, None))
    axes.set_xticks([10, 20, 50, 100, 200], ["10", "20", "50", "100", "200"])
    axes.legend()
    figure.savefig(file, dpi=90)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw 20,000 electrons that the network was not trained on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", type=Path, default=cache_folder() / "models" / "deepcalo")
    parser.add_argument("--electrons", type=int, default=20_000)
    options = parser.parse_args(arguments)
    onnxruntime: Any = need_extra("onnxruntime", "local", "running a model in this process")
    session = onnxruntime.InferenceSession(options.model / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    sample = draw_sample(options.electrons, 2)
    parts = np.array_split(sample.pixels, max(options.electrons // 250, 1))
    energies = np.concatenate([session.run(["energy"], {"image": part})[0][:, 0] for part in parts])
    draw(sample, energies, options.file)


if __name__ == "__main__":
    main()
