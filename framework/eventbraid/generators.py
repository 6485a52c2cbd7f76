"""The random numbers of a module in an event: from the job's seed, the event's identity and the module's label."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["make_generator"]

WORD: Final = 1 << 64


def make_generator(seed: int, run: int, lumi: int, event: int, label: str) -> Generator:
    """A generator (PCG64) whose numbers depend on these five alone, and are independent for any two sets of them.

    numpy's SeedSequence mixes them, each in a place of its own: after what CMSSW's service cannot do
    (cms-sw/cmssw#51644), the numbers are the same in whatever order and on whatever stream events run.
    """
    import numpy as np

    entropy = [part for number in (seed, run, lumi, event) for part in _halves(number)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([*entropy, *_words(label)])))


def _halves(number: int) -> tuple[int, int]:
    """The two 32-bit words of a number."""
    return divmod(int(number) % WORD, 1 << 32)


@functools.lru_cache(maxsize=1024)
def _words(label: str) -> tuple[int, ...]:
    """Four 32-bit words of a label, the same in every process, which Python's hash is not."""
    import hashlib

    digest = hashlib.sha256(label.encode()).digest()
    return tuple(int.from_bytes(digest[first : first + 4], "little") for first in range(0, 16, 4))
