"""Electromagnetic showers in formulas: how deep, how wide, and how much of it lies in a rectangle. Pure.

The depth of a single shower and its fluctuations follow Grindhammer and Peters 2000 (hep-ex/0001020, section 3.2), as
does the form of the radial profile; lengths along the shower are in radiation lengths.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CRITICAL", "depth_profile", "inside", "shares"]

Array = NDArray[np.float32]
CRITICAL: Final = 0.0095
"""Critical energy of lead and liquid argon, GeV."""
CHARGE: Final = 65.0
"""Effective atomic number of the same."""
STEPS: Final = np.arange(0.125, 48, 0.25, dtype=np.float32)
"""Where the profile is taken: the middles of steps of a quarter of a radiation length."""


def depth_profile(energy: Array, rng: np.random.Generator) -> Array:
    """Shares of the energy (n,), GeV, in steps of a quarter of a radiation length from the first, (n, 192).

    A gamma distribution, (b t)^(a-1) exp(-b t), whose maximum and `a` fluctuate together from shower to shower.
    """
    log = np.log(np.maximum(energy, 0.5) / CRITICAL)
    first, second = rng.standard_normal((2, len(energy)), np.float32)
    correlation = np.clip(0.705 - 0.023 * log, 0, 1)
    second = correlation * first + np.sqrt(1 - correlation**2) * second
    top = np.exp(np.log(log - 0.858) + first / (1.26 * log - 1.4))
    alpha = np.exp(np.log(0.21 + (0.492 + 2.38 / CHARGE) * log) + second / (0.86 * log - 0.58))
    alpha = np.maximum(alpha, 1.1)[:, None]
    rate = (alpha - 1) / top[:, None]
    profile: Array = np.exp((alpha - 1) * np.log(rate * STEPS) - rate * STEPS).astype(np.float32)
    profile /= profile.sum(axis=1, keepdims=True)
    return profile


def shares(profile: Array, edges: Array) -> Array:
    """Shares (n, k) of profiles (n, 192) between depths (n, k + 1) that grow along the last axis."""
    past = np.clip((edges[:, :, None] - (STEPS - 0.125)) / 0.25, 0, 1)
    before: Array = np.einsum("nks,ns->nk", past, profile).astype(np.float32)
    return np.diff(before, axis=1)


def inside(x: Array, y: Array, radius: Array) -> Array:
    """Shares of showers within rectangles: of edges (n, i + 1) and (n, j + 1) relative to the axis, (n, i, j).

    The density is radius^2 / (pi (r^2 + radius^2)^2), whose integral over a rectangle has a closed form.
    """
    u, v, one = x[:, :, None], y[:, None, :], radius[:, None, None] ** 2
    across, along = np.sqrt(u * u + one), np.sqrt(v * v + one)
    integral = u / across * np.arctan(v / across) + v / along * np.arctan(u / along)
    corner: Array = (integral / np.float32(2 * np.pi)).astype(np.float32, copy=False)
    return np.diff(np.diff(corner, axis=1), axis=2)
