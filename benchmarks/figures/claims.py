"""What the papers say that a figure shows, as numbers, each with where it is said and how near is near enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Claim"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A published number."""

    source: str
    """Paper, section and figure."""
    what: str
    published: float
    unit: str = ""
    within: float | None = None
    """The share by which what is obtained may differ; None where it is shown and not judged."""
    said: str = ""
    """The paper's words for the number, where they are not just that."""


FLAT_SMALL: Final = Claim("A Fig. 5, 3.4", "4 GPUs, 235 rows: module's time flat up to", 190, "clients", 0.10)
FLAT_LARGE: Final = Claim("A Fig. 5, 3.4", "4 GPUs, 1693 rows: flat up to", 270, "clients", 0.10)
FLAT_EVEN: Final = Claim("A Fig. 5, 3.4", "the same, CPU times spread by 10 %", 270, "clients")
FLAT_UNEVEN: Final = Claim("A Fig. 5, 3.4", "the same, CPU times spread by 40 %", 270, "clients")
FLAT_EQUATION: Final = Claim("A Fig. 5, Eq. 4", "the same by Eq. 4, with the preset's times", 270, "clients")
RATIO: Final = Claim("A 3.4", "clients a GPU, 1693 rows", 68, "", 0.10)
MODULE: Final = Claim("A 3.4", "1693 rows: module's time below that", 13, "s", 0.05, "about 13 s")
EVENT: Final = Claim("A 3.4", "1693 rows: event's time below that", 123, "s", 0.05)
BATCHES: Final = Claim("A 3.4", "module's time, 235 rows less 1693", 2.4, "s", said="roughly 2.4 s")
MODULE_FASTER: Final = Claim("A 3.4", "module's speed-up", 17, "x", 0.05)
EVENT_FASTER: Final = Claim("A 3.4", "event's speed-up", 2.7, "x", 0.05)
MODULE_FASTER_EQUATION: Final = Claim("A 3.4, Eq. 2", "module's speed-up by Eq. 2", 17, "x", 0.05)
EVENT_FASTER_EQUATION: Final = Claim("A 3.4, Eq. 2", "event's speed-up by Eq. 2", 2.7, "x", 0.05)
ROWS_SMALL: Final = Claim("A 3.4", "4 GPUs saturated, 235 rows: rows/s", 80_000, said="about 80,000")
ROWS_LARGE: Final = Claim("A 3.4", "4 GPUs saturated, 1693 rows: rows/s", 125_000, said="about 125,000")
JOINED: Final = Claim("A Fig. 5 (right)", "module, with over without dynamic batching, 400 clients", 1, said="the same")

TRIGGERS: Final = Claim("B Fig. 3, 5.1", "FACILE: HLT clients of one GPU before any loss", 300, "clients", 0.15)
TRIGGERS_FOUR: Final = Claim("B Fig. 3, 5.1", "the same, four GPUs", 1000, "clients", 0.15)
TRIGGERS_EVEN: Final = Claim("B Fig. 3, 5.1", "one GPU, CPU times spread by 10 %", 300, "clients")
TRIGGERS_UNEVEN: Final = Claim("B Fig. 3, 5.1", "one GPU, CPU times spread by 40 %", 300, "clients")
TRIGGER_TIME: Final = Claim("B Fig. 3, 5.1", "HLT's time, of that without FACILE", 0.9, "", 0.05, "10 % less")

FACILE: Final = {
    gpus: Claim("B Fig. 5, 5.2.1", f"FACILE on {gpus} GPU{'s' if gpus > 1 else ''}: plateau", rate, "/s", 0.05)
    for gpus, rate in ((1, 500), (4, 2000), (8, 4000))
}
FACILE_LINK: Final = Claim(
    "B Fig. 5, 5.2.1", "on 24 GPUs, 2,000 clients: network", 70, "Gb/s", 0.05, "exceeding 70 Gb/s"
)
FACILE_LOADED: Final = Claim("B Fig. 5, 5.2.1", "four GPUs saturated from", 500, "clients", said="nearly 500 clients")

DEEPCALO: Final = Claim("B Fig. 6, 5.2.2", "DeepCalo, alone: plateau", 680, "/s", 0.05)
GAIN_200: Final = Claim("B Fig. 6, 5.3.1", "gain by dynamic batching, 200 clients", 6, "x", 0.20)
GAIN_1000: Final = Claim("B Fig. 6, 5.3.1", "gain by dynamic batching, 1,000 clients", 14, "x", 0.20)
JOINED_200: Final = Claim("B Fig. 6, 5.3.1", "dynamic batching, 200 clients", 4200, "/s", 0.20)
JOINED_1000: Final = Claim("B Fig. 6, 5.3.1", "dynamic batching, 1,000 clients", 9800, "/s", 0.20)
JOINED_ONE_200: Final = Claim("B Fig. 6, 5.3.1", "the same with one execution at once, 200 clients", 4200, "/s")
JOINED_LINK_1000: Final = Claim("B Fig. 6, 5.3.1", "the same behind 3.9 Gb/s, 1,000 clients", 9800, "/s")

RESNET50: Final = {
    1: Claim("B Fig. 7, 5.2.3", "ResNet-50 on 1 GPU: plateau", 25, "/s", 0.05),
    4: Claim("B Fig. 7, 5.2.3", "on 4 GPUs", 85, "/s", 0.05, "85 % of 100 /s"),
    8: Claim("B Fig. 7, 5.2.3", "on 8 GPUs", 170, "/s", 0.05, "85 % of 200 /s"),
}

REPLACED_FACILE: Final = Claim("B Table 2", "FACILE: CPU cores that a GPU replaces", 27, "", 0.05)
REPLACED_DEEPCALO: Final = Claim("B Table 2", "DeepCalo", 50, "", 0.05)
REPLACED_JOINED: Final = Claim("B Table 2", "DeepCalo, dynamic batching", 750, "", 0.05)
REPLACED_RESNET50: Final = Claim("B Table 2", "ResNet-50", 150)
LINK_FACILE: Final = Claim("B Table 2", "FACILE: network of a GPU", 3.9, "Gb/s", 0.05)
LINK_DEEPCALO: Final = Claim("B Table 2", "DeepCalo: network of a GPU", 0.3, "Gb/s", said="0.3 Gb/s; 270 Mb/s in 5.2.2")
LINK_JOINED: Final = Claim("B Table 2", "DeepCalo, dynamic batching: network of a GPU", 3.9, "Gb/s", 0.05)
LINK_RESNET50: Final = Claim("B Table 2", "ResNet-50: network of a GPU", 1.2, "Gb/s", 0.05)
