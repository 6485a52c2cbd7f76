"""From edges with scores to tracks: chains of the best edges, connected components, numbers."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["HITS_MIN", "chains", "components", "numbered"]

Index = NDArray[np.intp]

HITS_MIN: Final = 5
"""Hits that a track has at the least."""


def chains(inner: Index, outer: Index, score: NDArray[np.float32]) -> Index:
    """The edges, best score first, of which each leaves a hit outwards and enters one inwards alone: their indices.

    Of equal scores the first edge counts. Every round takes the edges that are the best of both their hits.
    """
    rank = np.empty(len(score), np.intp)
    rank[np.argsort(-score, kind="stable")] = np.arange(len(score))
    size = int(max(inner.max(initial=-1), outer.max(initial=-1))) + 1
    left, taken = np.arange(len(score)), [np.empty(0, np.intp)]
    while len(left):
        leaving, entering = np.full((2, size), len(score))
        np.minimum.at(leaving, inner[left], rank[left])
        np.minimum.at(entering, outer[left], rank[left])
        best = (leaving[inner[left]] == rank[left]) & (entering[outer[left]] == rank[left])
        taken.append(left[best])
        used, reached = np.zeros((2, size), np.bool_)
        used[inner[taken[-1]]] = reached[outer[taken[-1]]] = True
        left = left[~used[inner[left]] & ~reached[outer[left]]]
    return np.concatenate(taken)


def components(hits: int, one: Index, other: Index) -> Index:
    """For each of so many hits the lowest hit that edges connect it with, shape (hits,).

    Labels are passed along edges and to the hits that the labels name, until nothing changes.
    """
    label = np.arange(hits)
    while True:
        lowest = np.minimum(label[one], label[other])
        changed = label.copy()
        for end in (one, other):
            np.minimum.at(changed, end, lowest)
            np.minimum.at(changed, label[end], lowest)
        changed = changed[changed]
        if np.array_equal(changed, label):
            return label
        label = changed


def numbered(label: Index) -> NDArray[np.int64]:
    """Tracks from 0, in the order of their first hits, of labels that have `HITS_MIN` hits; -1 for all others."""
    _, first, where, counts = np.unique(label, return_index=True, return_inverse=True, return_counts=True)
    kept = (counts >= HITS_MIN) & (label[first] >= 0)
    number = np.full(len(first), -1)
    number[np.flatnonzero(kept)[np.argsort(first[kept])]] = np.arange(np.count_nonzero(kept))
    return number[where.reshape(-1)].astype(np.int64)
