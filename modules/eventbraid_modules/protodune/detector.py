"""The detector: modules of three wire planes before a drift volume, in the proportions of ProtoDUNE-SP.

A module has two planes of induction wires, U and V, and one of collection wires, X, in the ratio 5 : 5 : 6, with the
pitches and angles of ProtoDUNE-SP (Abi et al. 2020, arXiv:2007.06722, section 2). Induction wires wrap: those that
are one plane's number of channels apart share a channel. The full detector, `Detector(6, 960, 6000)`, has 15,360
channels, read out for 3 ms (Wang et al. 2021, arXiv:2009.04509, section 3.1).

Coordinates of a module, cm: `x` is the distance to drift, `y` is up, `z` goes along the collection plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["TICK_CM", "TICK_US", "Detector", "Plane"]

TICK_US: Final = 0.5
"""Length of a time tick, us."""
TICK_CM: Final = 0.08
"""How far charge drifts in a tick, cm: 1.6 mm/us at 500 V/cm."""
MARGIN: Final = 50
"""Ticks before and after the drift, in which responses begin and end."""
PITCH: Final = {"U": 0.467, "V": 0.467, "X": 0.479}
"""Distance of neighbouring wires, cm."""
ANGLE: Final = np.deg2rad(35.7)
"""Of induction wires with the vertical, radians."""
HEIGHT: Final = 1.326
"""Height of a module in units of its length."""


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of wires: channels `first` to `first + wires - 1` of the detector."""

    module: int
    view: str
    """"U", "V" or "X"."""
    first: int
    wires: int

    @property
    def channels(self) -> slice:
        """Where the plane's channels are among all."""
        return slice(self.first, self.first + self.wires)

    @property
    def wraps(self) -> bool:
        """True for induction planes, whose last wire is followed by the first."""
        return self.view != "X"


@dataclass(frozen=True, slots=True)
class Detector:
    """How large the detector is."""

    modules: int = 1
    wires: int = 240
    """Collection wires of a module, a multiple of 6."""
    ticks: int = 1500
    """Time ticks that are read out."""

    @property
    def induction(self) -> int:
        """Channels of an induction plane."""
        return self.wires * 5 // 6

    @property
    def channels(self) -> int:
        """Channels of all modules."""
        return self.modules * (2 * self.induction + self.wires)

    @property
    def box(self) -> NDArray[np.float64]:
        """The drift volume of a module in x, y and z, cm, shape (3,); it begins at 0."""
        length = self.wires * PITCH["X"]
        return np.array([(self.ticks - 2 * MARGIN) * TICK_CM, HEIGHT * length, length])

    @property
    def planes(self) -> tuple[Plane, ...]:
        """All planes in the order of their channels: U, V and X of the first module, and so on."""
        sizes = (("U", self.induction), ("V", self.induction), ("X", self.wires))
        planes: list[Plane] = []
        first = 0
        for module in range(self.modules):
            for view, wires in sizes:
                planes.append(Plane(module, view, first, wires))
                first += wires
        return tuple(planes)

    def wire(self, plane: Plane, y: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.intp]:
        """The nearest wire of each point; for an induction plane the channel that it shares."""
        if plane.view == "X":
            across = z
        else:
            up = y if plane.view == "U" else self.box[1] - y
            across = z * np.cos(ANGLE) + up * np.sin(ANGLE)
        wires = np.floor(across / PITCH[plane.view]).astype(np.intp)
        return wires % plane.wires if plane.wraps else wires

    def tick(self, x: NDArray[np.float64]) -> NDArray[np.intp]:
        """The tick at which charge from there arrives."""
        return (np.floor(x / TICK_CM) + MARGIN).astype(np.intp)
