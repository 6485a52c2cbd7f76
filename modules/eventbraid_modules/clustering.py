"""FastJet on arrays: momenta that are checked, and sequences of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventbraid.errors import DataError, need_extra
from eventbraid_modules.collisions import Particles

__all__ = ["cluster", "fastjet", "momenta"]


def fastjet() -> Any:
    """FastJet's own classes, without its banner: those of the package take awkward arrays and check every argument.

    Raises `MissingExtra`.
    """
    library: Any = need_extra("fastjet._swig", "physics", "finding jets")
    library.ClusterSequence.set_fastjet_banner_stream(None)
    return library


def momenta(particles: Particles) -> NDArray[np.float64]:
    """px, py, pz and E of particles, GeV, shape (n, 4); raises `DataError` for one that has no finite momentum."""
    pt, eta, phi, energy = (
        each.astype(np.float64) for each in (particles.pt, particles.eta, particles.phi, particles.energy)
    )
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), energy], axis=1)
    good = np.isfinite(found).all(axis=1) & (pt >= 0) & (energy >= 0)
    if (bad := np.flatnonzero(~good)).size:
        each = int(bad[0])
        raise DataError(
            f"particle {each} of {len(good)} has pt {pt[each]:g}, eta {eta[each]:g}, phi {phi[each]:g}, energy "
            f"{energy[each]:g}: all must be finite, pt and energy 0 or more"
        )
    return found


def cluster(found: NDArray[np.float64], algorithm: str, radius: float) -> Any:
    """The clustering of momenta (n, 4) by "antikt", "kt" or "cambridge"; a jet's constituents tell their rows."""
    library = fastjet()
    jets = [library.PseudoJet(*momentum) for momentum in found.tolist()]
    for row, jet in enumerate(jets):
        jet.set_user_index(row)
    return library.ClusterSequence(jets, library.JetDefinition(getattr(library, f"{algorithm}_algorithm"), radius))
