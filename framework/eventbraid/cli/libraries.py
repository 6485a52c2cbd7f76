"""The threads that numerical libraries start by themselves."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

__all__ = ["one_thread_each"]

LIBRARIES: Final = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ALL: Final = "OMP_NUM_THREADS"
"""What a user says for both, and for more."""


def one_thread_each(environment: MutableMapping[str, str]) -> None:
    """Have NumPy's libraries use one thread, for a job has one core; what is said already stays as it is.

    OpenBLAS has a thread for each core, and they spin for a while after every product of matrices: time that servers
    and other clients on the machine would have.
    """
    if ALL not in environment:
        for name in LIBRARIES:
            environment.setdefault(name, "1")
