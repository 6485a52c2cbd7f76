"""Cosmic rays in a liquid-argon detector: what made each hit, by EmTrackMichelId as a service."""

from eventbraid import Job
from eventbraid.outputs import ParquetOutput
from eventbraid_modules.protodune import (
    CosmicSource,
    Deconvolution,
    EmTrackMichelId,
    HitFinder,
    HitTruth,
    IdentificationStudy,
    Patches,
    WireReadout,
)

job = Job(
    "protodune",
    # A small detector; all of ProtoDUNE-SP: modules=6, wires=960, ticks=6000
    source=CosmicSource(events=40, seed=1),
    modules={
        "readout": WireReadout(),
        "signals": Deconvolution(),
        "hits": HitFinder(),
        "patches": Patches(),
        "identification": EmTrackMichelId(model="emtrackmichelid"),  # or on the CPU, by rule: GeometricId()
        "truth": HitTruth(),
        "study": IdentificationStudy(),
    },
    outputs=[ParquetOutput("protodune.parquet", keep=["hits", "identification", "truth"])],
    streams=4,
)
