"""What the papers give as inputs. W: Wang et al. 2021, arXiv:2009.04509; K: Krupa et al. 2021, arXiv:2007.10359."""

from __future__ import annotations

from eventbraid.serving.emulation import parse_device
from eventbraid.studies.model import Requests, Workload, device_seconds, transmit_seconds, travel_seconds

PATCHES = 55_000
PATCH_BITS = 48 * 48 * 32
ROUND_TRIP = 0.012
LINK = 1e9


def protodune(per_second: float, requests: int, link: float = LINK) -> Workload:
    """W 3.3: inferences a second of one GPU, requests of an event, bits a second of a client's link."""
    return Workload(
        other=110,
        module=220,
        packing=7,
        gpu=PATCHES / per_second,
        transmit=transmit_seconds(PATCHES * PATCH_BITS, link),
        travel=travel_seconds(requests, ROUND_TRIP),
        bits=PATCHES * PATCH_BITS,
    )


LARGE = protodune(31_000, 32)
"""Batches of 1693."""
SMALL = protodune(80_000 / 4, 235)
"""Batches of 235; 3.4 gives 80,000 a second for the four GPUs."""


def hlt(rows: int) -> Workload:
    """K 5.1 and 4.1: 500 ms an event, 60 of them for HCAL, 7 left with FACILE as a service on a V100."""
    gpu, _ = device_seconds(parse_device("emulated:v100"), [Requests("facile", 1, rows)])
    return Workload(other=0.440, module=0.060, packing=0.007, gpu=gpu, bits=rows * 15 * 32)


def table_2(inferences: float, megabits: float, module: float | None = None, packing: float = 0.0) -> Workload:
    """K Table 2: inferences a second of a GPU and the size of one, beside what 4.1 to 4.3 say of the CPU."""
    return Workload(other=0, gpu=1 / inferences, module=module, packing=packing, bits=megabits * 1e6)


FACILE = table_2(500, 7.7, 0.060, 0.007)
DEEPCALO = table_2(680, 0.4, 0.075)
DEEPCALO_JOINED = table_2(9800, 0.4, 0.075)
RESNET = table_2(25, 48.2)
