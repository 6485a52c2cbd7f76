"""A folder through which a test holds a model of models/gated.py, and reads what the model has executed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from tritonclient.grpc import InferInput

PATIENCE = 10.0
"""Seconds after which a test that waits for a server has failed."""


class Executed(NamedTuple):
    """One request as the model saw it."""

    x: int
    together: int
    """Requests in the same call of execute."""
    cancelled: bool


class Gate:
    """A request with x = 0 waits in the model until `open`; the others are executed and noted, in their order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ends: dict[str, int] = {}

    def __enter__(self) -> Self:
        for name in ("entered", "let"):
            os.mkfifo(self.folder / name)
            # Held open both ways, so that nobody waits for the other end.
            self._ends[name] = os.open(self.folder / name, os.O_RDWR | os.O_NONBLOCK)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self.folder / "over").touch()  # who comes late need not wait, and who waits is let go
        self.open(1000)
        for end in self._ends.values():
            os.close(end)

    async def entered(self, count: int = 1) -> None:
        """Wait until so many more requests wait in the model."""
        loop, end = asyncio.get_running_loop(), self._ends["entered"]
        for _ in range(count):
            ready = asyncio.Event()
            loop.add_reader(end, ready.set)
            try:
                async with asyncio.timeout(PATIENCE):
                    await ready.wait()
            finally:
                loop.remove_reader(end)
            os.read(end, 1)

    def open(self, count: int = 1) -> None:
        """Let so many requests go on."""
        os.write(self._ends["let"], b"." * count)

    def inputs(self, x: int, *shape: int) -> list[InferInput]:
        """The inputs of one request; `shape` is (1,), or (rows, 1) where the model has batches."""
        return [
            InferInput("x", shape, "FP32").set_data_from_numpy(np.full(shape, x, np.float32)),
            InferInput("folder", shape, "BYTES").set_data_from_numpy(np.full(shape, str(self.folder), object)),
        ]

    @property
    def executed(self) -> list[Executed]:
        """What the model has executed."""
        journal = self.folder / "journal"
        lines: list[Any] = [line.split() for line in journal.read_text().splitlines()] if journal.exists() else []
        return [Executed(int(x), int(together), word == "cancelled") for x, together, word in lines]
