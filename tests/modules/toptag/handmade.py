"""Particles made by hand."""

from __future__ import annotations

import numpy as np

from eventbraid_modules.collisions import Particles


def of_rows(rows: list[tuple[float, float, float]], charge: int = 1) -> Particles:
    """Massless particles of pt, eta and phi."""
    pt, eta, phi = np.array(rows, np.float32).reshape(-1, 3).T
    pdg = np.full(len(pt), 211 if charge else 22, np.int32)
    return Particles(pt, eta, phi, (pt * np.cosh(eta)).astype(np.float32), pdg, np.full(len(pt), charge, np.int8))
