"""GPUs whose throughput the papers report, as service times; each with where its numbers come from.

A: Wang et al. 2021, ProtoDUNE-SP reconstruction (Front. Big Data 3, 48), one T4 of four.
B: Krupa et al. 2021, LHC reconstruction (Mach. Learn.: Sci. Technol. 2, 035005), V100 and T4.

A plateau gives one equation, 1 / (batches/s) = t0 + rows * per_row; the second one is another plateau where there is
one, else the utilisation of the GPU in Table 1 of B, read as the share of the time that grows with the rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from eventbraid.serving.emulation.clock import ServiceTime

__all__ = ["PRESETS", "Measured", "Preset"]


@dataclass(frozen=True, slots=True)
class Measured:
    """A model on one GPU, as a paper measured it."""

    time: ServiceTime
    source: str
    """The sentence, table or figure, and the arithmetic."""
    efficiency: float = 1.0
    """Of each GPU where there are several, against one alone."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A kind of GPU: its memory in bytes, and the models that were measured on it."""

    memory: int
    models: Mapping[str, Measured]

    def find(self, model: str) -> Measured | None:
        """The model of that name, in whatever way it is written: "ResNet-50", "resnet_50"; None where there is none."""
        return self.models.get(re.sub("[^a-z0-9]", "", model.lower()))


MS: Final = 1e-3
US: Final = 1e-6
NS: Final = 1e-9
GB: Final = 10**9

V100: Final = Preset(
    memory=16 * GB,
    models={
        "facile": Measured(
            ServiceTime(1.6 * MS, 25 * NS, most=16_000),
            "B 5.2.1: 500 batches of 16,000 a second: 2 ms. Table 1: 20 % of it used, 0.4 ms / 16,000 rows = 25 ns; "
            "the rest is t0 (5.1: 4,500 rows take as long, nearly). 5.3.1: joining requests gains nothing, "
            "so a pass has 16,000 rows",
        ),
        "deepcalo": Measured(
            ServiceTime(1.3824 * MS, 17.643 * US),
            "B Table 2: 680 requests of 5 rows a second, 1.4706 ms; joined to 500 rows (5.3.1) 9,800, "
            "that is 98 batches a second, 10.204 ms: per_row = (10.204 - 1.4706) ms / 495. The five executions at "
            "once of Fig. 6 share the GPU and so change neither",
        ),
    },
)

T4: Final = Preset(
    memory=16 * GB,
    models={
        "emtrackmichelid": Measured(
            ServiceTime(4 * MS, 30 * US),
            "A 3.2 and 3.4, for one of four GPUs: batches of 235 at 20,000 to 22,000 rows/s (here 21,267), of 1693 at "
            "30,500 to 31,250 (30,898), joined to 5358 at 31,500 (Fig. 4; 32,524)",
        ),
        "resnet50": Measured(
            ServiceTime(2 * MS, 3.8 * MS),
            "B 5.2.3 and Table 2: 25 batches of 10 a second, 40 ms. Table 1: 95 % of it used, 38 ms / 10 rows. "
            "5.2.3: some 85 % efficiency on four and eight GPUs",
            efficiency=0.85,
        ),
        "facile": Measured(
            ServiceTime(1.84 * MS, 28.75 * NS, most=16_000),
            "B 5.2.1: the V100 gains 10 to 20 % over other GPUs: its times x 1.15",
        ),
    },
)

PRESETS: Final[Mapping[str, Preset]] = {"t4": T4, "v100": V100}
