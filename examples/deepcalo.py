"""Electron energies by DeepCalo as a service, beside calibrated sums of cells.

The network is not shipped: `eventbraid models build deepcalo` trains it once.
"""

from eventbraid import Job
from eventbraid.outputs import ParquetOutput
from eventbraid_modules.deepcalo import (
    DeepCaloEnergies,
    ElectronSource,
    EnergyResolution,
    ImageMaker,
    ShowerSimulator,
    SummedEnergies,
)

job = Job(
    "deepcalo",
    source=ElectronSource(events=200, seed=1),
    modules={
        "cells": ShowerSimulator(),
        "images": ImageMaker(),
        "energies": DeepCaloEnergies(model="deepcalo"),  # or on the CPU, by rule: SummedEnergies()
        "sums": SummedEnergies(),
        "resolution": EnergyResolution(),
        "resolutionOfSums": EnergyResolution(energies="sums"),
    },
    outputs=[ParquetOutput("deepcalo.parquet", keep=["electrons", "energies", "sums"])],
    streams=16,
)
