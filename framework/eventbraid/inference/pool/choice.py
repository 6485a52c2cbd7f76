"""Which of the servers that have a model gets a request. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeVar

__all__ = ["Candidate", "cheaper", "choose"]


class Candidate(Protocol):
    """A model on a server, as the choice sees it."""

    @property
    def name(self) -> str:
        """The server's name."""
        ...

    @property
    def outstanding(self) -> int:
        """Requests that this server has from us."""
        ...

    @property
    def latency(self) -> float:
        """Seconds that an answer of the model took of late; 0 where none is known."""
        ...


C = TypeVar("C", bound=Candidate)


def cheaper(one: C, other: C) -> C:
    """The one where a request would wait less: for the outstanding ones and itself, at the measured latency each.

    Where nothing is known of one of them, the number of outstanding requests decides.
    """
    if not (one.latency and other.latency):
        return one if one.outstanding <= other.outstanding else other
    cost = (one.outstanding + 1) * one.latency
    return one if cost <= (other.outstanding + 1) * other.latency else other


def choose(
    candidates: Sequence[C], draw: Callable[[int], int], *, preferred: str = "", avoid: Collection[str] = ()
) -> C | None:
    """The preferred server, else the cheaper of two drawn at random; those to avoid only where there is no other.

    `draw(n)` gives a random number below n. None where there is no candidate.
    """
    if not candidates:
        return None
    good = [each for each in candidates if each.name not in avoid] if avoid else candidates
    good = good or candidates
    if preferred:
        for each in good:
            if each.name == preferred:
                return each
    if len(good) == 1:
        return good[0]
    first = draw(len(good))
    second = (first + 1 + draw(len(good) - 1)) % len(good)
    return cheaper(good[first], good[second])
