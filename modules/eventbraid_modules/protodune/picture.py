"""Draws an event with what made its hits: `python -m eventbraid_modules.protodune.picture protodune.png`.

The truth, the network's answer and the rule's, on a plane of collection wires. Needs the extras `plots` and `serving`,
and the built model.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventbraid import Job
from eventbraid.errors import need_extra
from eventbraid.testing import ListOutput
from eventbraid_modules.protodune.deconvolution import Deconvolution
from eventbraid_modules.protodune.detector import TICK_US
from eventbraid_modules.protodune.hits import HitFinder
from eventbraid_modules.protodune.identification import EmTrackMichelId, GeometricId
from eventbraid_modules.protodune.ionisation import Kind
from eventbraid_modules.protodune.patches import Patches
from eventbraid_modules.protodune.readout import WireReadout
from eventbraid_modules.protodune.source import CosmicSource
from eventbraid_modules.protodune.truth import NONE, HitTruth

__all__ = ["draw", "main", "named"]

COLOURS: Final = {"track": "#1f77b4", "shower": "#ff7f0e", "Michel": "#d62728", "none": "#7f7f7f"}
"""Of hits, in the order of `Kind` and NONE."""


def named(scores: NDArray[np.float32], threshold: float) -> NDArray[np.intp]:
    """The `Kind` that scores say, or NONE: a shower with a Michel score above the threshold is a Michel electron."""
    found = np.array([Kind.TRACK, Kind.SHOWER, NONE])[scores[:, :3].argmax(axis=1)]
    return np.where((found == Kind.SHOWER) & (scores[:, 3] > threshold), Kind.MICHEL, found)


def draw(products: Mapping[str, Any], file: Path, threshold: float = 0.5) -> None:
    """Draw the first collection plane of an event's `signals`, with its `hits` by `truth`, `network` and `rule`."""
    plots = need_extra("matplotlib.figure", "plots", "drawing an event")
    signals, hits = products["signals"], products["hits"]
    plane = next(each for each in signals.detector.planes if not each.wraps)
    kinds = {
        "simulation": products["truth"],
        "EmTrackMichelId": named(products["network"], threshold),
        "geometric rule": named(products["rule"], threshold),
    }
    figure = plots.Figure(figsize=(12, 4.4), layout="constrained")
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    extent = (0, plane.wires, 0, signals.detector.ticks * TICK_US)
    shown = (hits.channel >= plane.first) & (hits.channel < plane.first + plane.wires)
    for axis, (title, found) in zip(axes, kinds.items(), strict=True):
        charge = signals.charge[plane.channels].T
        axis.imshow(charge, origin="lower", aspect="auto", extent=extent, cmap="Greys", vmin=0, vmax=15_000)
        for number, (name, colour) in enumerate(COLOURS.items()):
            chosen = shown & (found == number)
            wires, times = hits.channel[chosen] - plane.first + 0.5, hits.tick[chosen] * TICK_US
            axis.scatter(wires, times, s=5, color=colour, label=name)
        axis.set_title(title)
        axis.set_xlabel("collection wire")
    axes[0].set_ylabel("time, us")
    axes[0].legend(loc="upper right", markerscale=3)
    figure.savefig(file, dpi=90)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reconstruct one event and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--event", type=int, default=1)
    parser.add_argument(
        "--models", type=Path, action="append", default=[], help="folders of models beside the built ones"
    )
    options = parser.parse_args(arguments)
    output = ListOutput(keep=["signals", "hits", "truth", "network", "rule"])
    modules = {
        "readout": WireReadout(),
        "signals": Deconvolution(),
        "hits": HitFinder(),
        "patches": Patches(),
        "network": EmTrackMichelId(model="emtrackmichelid"),
        "rule": GeometricId(),
        "truth": HitTruth(),
    }
    source = CosmicSource(events=options.event)
    Job("picture", source=source, modules=modules, outputs=[output], models=options.models, fallback="local").run()
    (row,) = (each for each in output.rows if each.id.event == options.event)
    draw(row.products, options.file)


if __name__ == "__main__":
    main()
