"""How long an emulated GPU takes, and when it has the time.

The standard library alone: this file is copied into what the real Triton serves.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Lock
from typing import Any, Final

__all__ = ["Clock", "FileClock", "Pace", "ServiceTime", "SharedGpu", "end_of", "ready_after", "shared_gpu"]

FREE_AT: Final = struct.Struct("d")
HAND_OVER_SECONDS: Final = 3e-3
COPIED_BYTES_PER_SECOND: Final = 1e9
"""Allowed between two batches of which the second one was waiting; it takes 1 to 2 ms on two busy cores."""
BEHIND: Final = 10
"""Batches by which a network may be behind its GPU until that is said."""


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """What a batch takes on one GPU, in seconds: `t0` and `per_row` for each of its rows."""

    t0: float
    per_row: float
    most: int = 0
    """Rows of one pass over the GPU: a larger batch makes several passes, each with its t0. 0: one pass for any."""

    def seconds(self, rows: int) -> float:
        """The time of a batch of so many rows."""
        passes = max(1, -(-rows // self.most)) if self.most else 1
        return passes * self.t0 + rows * self.per_row


def end_of(free_at: float, ready: float, seconds: float) -> float:
    """When a batch ends that was `ready` to begin, on a GPU that has time from `free_at` on."""
    return (free_at if free_at > ready else ready) + seconds


def ready_after(now: float, answered: float, end: float, seconds: float, size: int) -> float:
    """Since when a batch was ready, of `size` bytes, whose requests do not say when they came.

    It was waiting while the one before was executed, which was over at `end` and `answered` thereafter, if it is
    there as soon as it can be handed over, and within half of its time; else it has come now.
    """
    hand_over = HAND_OVER_SECONDS + size / COPIED_BYTES_PER_SECOND
    return end if now - answered < min(hand_over, seconds / 2) else now


class Clock:
    """The emulated time of one GPU, which executes one batch at a time, in the order in which they are taken.

    A batch that was waiting begins when the one before ended on this clock, however late the thread is told; so a
    loaded GPU loses nothing between two batches.
    """

    def __init__(
        self, now: Callable[[], float] = time.perf_counter, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self.now = now
        self._sleep = sleep
        self._lock = Lock()
        self._free_at = -inf

    def take(self, ready: float, seconds: float) -> float:
        """Take the GPU's next `seconds` from when the batch was `ready`; returns when they end."""
        with self._lock:
            self._free_at = end_of(self._free_at, ready, seconds)
            return self._free_at

    def wait(self, end: float) -> None:
        """Sleep until then; not at all where that is over."""
        while (left := end - self.now()) > 0:
            self._sleep(left)


class FileClock(Clock):
    """The clock of a GPU that processes share: a file holds from when on it has time, and is locked."""

    def __init__(
        self,
        file: Path,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(now, sleep)
        self._file = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)

    def take(self, ready: float, seconds: float) -> float:
        """The same among all processes."""
        import fcntl  # not on Windows, which has no Triton

        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                data = os.pread(self._file, FREE_AT.size, 0)
                end = end_of(FREE_AT.unpack(data)[0] if data else -inf, ready, seconds)
                os.pwrite(self._file, FREE_AT.pack(end), 0)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return end

    def close(self) -> None:
        """Close the file; the clock goes on for others."""
        os.close(self._file)


class Pace:
    """Whether a network keeps up with the GPU that it emulates; `say` is told once that it does not."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._behind = 0.0
        self._said = False

    def computed(self, rows: int, took: float, seconds: float) -> None:
        """A batch took so long to compute, of the `seconds` that it has."""
        self._behind = max(0.0, self._behind + took - seconds)
        if self._behind > BEHIND * seconds > 0 and not self._said:
            self._said = True
            needs, has = f"{took * 1e3:.3g} ms", f"{seconds * 1e3:.3g} ms"
            self._say(f"{rows} rows take {needs} to compute, longer than the {has} that are emulated")


class SharedGpu:
    """A GPU for the models of the real Triton, each in a process of its own; `warn` is told of a slow network."""

    def __init__(self, service: ServiceTime, clock: Clock, warn: Callable[[str], object]) -> None:
        self._service = service
        self._clock = clock
        self._pace = Pace(warn)
        self._began = 0.0
        self._answered = self._end = -inf
        self._rows = 0

    def begin(self, rows: int, size: int) -> None:
        """A batch of so many rows and bytes is here."""
        self._began, self._rows = self._clock.now(), rows
        seconds = self._service.seconds(rows)
        ready = ready_after(self._began, self._answered, self._end, seconds, size)
        self._end = self._clock.take(ready, seconds)

    def end(self) -> None:
        """Its answers are computed: sleep until its time is over."""
        self._pace.computed(self._rows, self._clock.now() - self._began, self._service.seconds(self._rows))
        self._clock.wait(self._end)
        self._answered = self._clock.now()


def shared_gpu(device: Mapping[str, Any], number: int, warn: Callable[[str], object]) -> SharedGpu | None:
    """The GPU of instance `number` of a model, as the configuration says that Triton is given; None: the CPU."""
    file = device["clocks"][number]
    if file is None:
        return None
    return SharedGpu(ServiceTime(device["t0"], device["per_row"], device["most"]), FileClock(Path(file)), warn)
