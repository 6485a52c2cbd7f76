"""B Table 2: how many CPU cores a GPU replaces, and the network that it needs, from the simulated plateaus."""

from __future__ import annotations

from typing import Final, NamedTuple

from benchmarks.figures import claims, deepcalo, facile, resnet50
from benchmarks.figures.claims import Claim
from benchmarks.figures.rows import Row
from benchmarks.figures.sweep import Curve
from eventbraid.studies.model import replacement_ratio
from eventbraid.studies.simulation.published import SONIC_SECONDS

__all__ = ["table_2"]


class Algorithm(NamedTuple):
    """What K (1), the paper's Eq. 1, takes beside the GPU's time."""

    replaced: Claim
    network: Claim
    on_cpu: float
    """Seconds an event."""
    stays: float
    """Of that, packing and rescheduling, where the paper gives it."""
    bits: int


FACILE: Final = Algorithm(claims.REPLACED_FACILE, claims.LINK_FACILE, 0.060, SONIC_SECONDS, facile.BITS)
DEEPCALO: Final = Algorithm(claims.REPLACED_DEEPCALO, claims.LINK_DEEPCALO, 0.075, 0, deepcalo.BITS)
JOINED: Final = Algorithm(claims.REPLACED_JOINED, claims.LINK_JOINED, 0.075, 0, deepcalo.BITS)
RESNET50: Final = Algorithm(claims.REPLACED_RESNET50, claims.LINK_RESNET50, 18.0, 0, resnet50.BITS)
"""B 4.1, 4.2 and 6."""


def table_2(found: dict[str, dict[str, Curve]]) -> list[Row]:
    """From the curves of all figures, by the names of both."""
    plateaus = (
        (FACILE, found["b-fig5"]["1"].plateau),
        (DEEPCALO, found["b-fig6"]["alone"].plateau),
        (JOINED, found["b-fig6"]["joined"].plateau),
        (RESNET50, found["b-fig7"]["1"].plateau),
    )
    replaced = [Row(each.replaced, replacement_ratio(each.on_cpu, each.stays, 0, 1 / rate)) for each, rate in plateaus]
    return replaced + [Row(each.network, rate * each.bits / 1e9) for each, rate in plateaus]
