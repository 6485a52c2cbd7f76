"""Draws the page's picture: `python -m eventbraid_modules.toptag.picture FILE`, with the model that is shipped."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import need_extra
from eventbraid_modules.toptag.images import HALF, make_images
from eventbraid_modules.toptag.network import TOPTAG
from eventbraid_modules.toptag.performance import area
from eventbraid_modules.toptag.sample import Sample, draw_jets
from eventbraid_modules.toptag.shape import shape_scores, shapes
from eventbraid_modules.toptag.train_toptag import HELD_OUT, HELD_OUT_SEED, MODEL

__all__ = ["draw", "main", "roc"]

Array = NDArray[np.floating]
SEEN: Final = 500
"""Jets of each kind whose images are averaged."""


def roc(scores: Array, top: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the tops' jets and of the others that are kept, for every threshold that a score is, downwards."""
    thresholds = np.unique(scores)[::-1]
    signal, background = (np.sort(scores[kept]) for kept in (top, ~top))
    kept = (1 - np.searchsorted(each, thresholds) / len(each) for each in (signal, background))
    efficiency, mistake = kept
    return efficiency, mistake


def draw(sample: Sample, found: Mapping[str, Array], file: Path) -> None:
    """Mean images of both kinds of jets, and the ROC curves of the scores by name."""
    pyplot: Any = need_extra("matplotlib.figure", "plots", "drawing a picture")
    figure = pyplot.Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots(1, 3, width_ratios=(1, 1, 1.6))
    for panel, (name, kept) in zip(
        axes, (("jets of top quarks", sample.top), ("other jets", ~sample.top)), strict=False
    ):
        mean = (sample.pixels[kept][:SEEN, :2] ** 2).sum(axis=1).mean(axis=0)
        panel.imshow(np.log10(mean.T + 1e-5), origin="lower", extent=(-HALF, HALF, -HALF, HALF), vmin=-5, vmax=-0.5)
        panel.set_title(name, fontsize=9)
        panel.set(xlabel="along the principal axis", ylabel="across")
    for name, scores in found.items():
        efficiency, mistake = roc(scores, sample.top)
        label = f"{name}, area {area(scores[sample.top], scores[~sample.top]):.3f}"
        axes[2].plot(efficiency[mistake > 0], 1 / mistake[mistake > 0], label=label)
    axes[2].set(
        xlabel="share of top jets kept", ylabel="rejection of others", yscale="log", xlim=(0, 1), ylim=(1, None)
    )
    axes[2].grid(alpha=0.3)
    axes[2].legend(fontsize=8)
    figure.savefig(file, dpi=90)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw jets that the network was not trained on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--events", type=int, default=HELD_OUT)
    options = parser.parse_args(arguments)
    onnxruntime: Any = need_extra("onnxruntime", "local", "running a model in this process")
    session = onnxruntime.InferenceSession(options.model / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    events = list(draw_jets(options.events, HELD_OUT_SEED))
    pixels = [make_images(jets, TOPTAG.image).pixels for jets, _ in events]
    network = np.concatenate([session.run(["score"], {"image": each})[0][:, 0] for each in pixels])
    rule = np.concatenate([shape_scores(*shapes(jets)) for jets, _ in events])
    sample = Sample(np.concatenate(pixels), np.concatenate([top for _, top in events]))
    draw(sample, {"residual network": network, "mass and N-subjettiness": rule}, options.file)


if __name__ == "__main__":
    main()
