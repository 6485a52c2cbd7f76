"""Spans of time, as arrays of their beginnings and ends, and what of them lies in a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["events_within", "overlap"]

Floats = NDArray[np.float64]


def overlap(began: Floats, ended: Floats, start: float, end: float) -> float:
    """The seconds of some spans, together, that lie between two times."""
    return float(_within(began, ended, start, end).sum())


def events_within(clients: NDArray[np.int64], began: Floats, ended: Floats, start: float, end: float) -> float:
    """How many events the clients have done between two times; `clients` has the number of each event's.

    The time from one end of a client to its next, and from its first beginning to its first end, counts with the share
    of it that lies between the two. To count the ends there is wrong by up to one for each client where clients go in
    step: a window that is over when one of them has ended cuts the steps of all at its other edge. To take each
    client's rate from its first end there to its last is too much by up to one where they do not.
    """
    if not clients.size:
        return 0.0
    order = np.lexsort((ended, clients))
    clients, began, ended = clients[order], began[order], ended[order]
    first = np.flatnonzero(np.diff(clients, prepend=clients[0] - 1))
    before = np.roll(ended, 1)
    before[first] = np.minimum.reduceat(began, first)
    lasted = ended - before
    at_once = ((start < ended) & (ended <= end)).astype(np.float64)
    return float(np.divide(_within(before, ended, start, end), lasted, out=at_once, where=lasted > 0).sum())


def _within(began: Floats, ended: Floats, start: float, end: float) -> Floats:
    within: Floats = np.clip(np.minimum(ended, end) - np.maximum(began, start), 0.0, None)
    return within
