"""Up to how many clients a server gives all of them what it gives one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

__all__ = ["flat_until", "plateau"]


def flat_until(clients: Sequence[int], seconds: Sequence[float], tolerance: float = 0.1) -> float | None:
    """The clients at which times first exceed the first one by `tolerance`, between points in proportion.

    `clients` ascend; None where the times never do.
    """
    if not clients:
        return None
    most = seconds[0] * (1 + tolerance)
    for (before, low), (after, high) in pairwise(zip(clients, seconds, strict=True)):
        if high > most:
            share = (most - low) / (high - low) if high > low else 0.0
            return before + max(share, 0.0) * (after - before)
    return None


def plateau(clients: Sequence[int], rates: Sequence[float], tolerance: float = 0.1) -> float | None:
    """The rate at which more clients gain nothing: the greatest, where the last step gained less than a share.

    That is `tolerance` of what the clients of that step would have brought; None where rates still grow.
    """
    if len(clients) < 2:
        return None
    gained = rates[-1] / rates[-2] - 1
    brought = clients[-1] / clients[-2] - 1
    return max(rates) if gained < tolerance * brought else None
