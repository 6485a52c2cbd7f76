"""Requests whose tensors lie in shared memory, for servers of this host."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from math import prod
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventbraid.inference.memory.places import Place, Span
from eventbraid.inference.memory.pool import Pool
from eventbraid.inference.memory.regions import spare_bytes, sweep
from eventbraid.inference.memory.registrations import Call, Registrations, status_of
from eventbraid.kserve import Tensors
from eventbraid.kserve.shared import Location, Placed, tensor_fields
from eventbraid.kserve.tensors import NUMPY_TYPES, protocol_type
from eventbraid.kserve.wire import parse_answer, request_parts

__all__ = ["Loan", "SharedMemory"]

LIMIT: Final = 1 << 30
"""Bytes of shared memory that a client uses at most; never more than half of what is free, for servers need some."""
LEAST: Final = 64 << 10
"""Bytes of a tensor from which a place pays; a smaller one goes with the message."""
PORTION: Final = 2 << 20
"""Bytes that are copied at a time; the event loop runs in between."""
ENDED: Final = frozenset(
    (
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "FAILED_PRECONDITION",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
    )
)
"""What only a server answers, so that it is known to be done with the request. Others may come from the connection."""
UNKNOWN_REGION: Final = "Unable to find shared memory region"
TOO_SMALL: Final = "shared memory size specified with the request for output"

_fields = lru_cache(maxsize=1024)(tensor_fields)  # places are used again, so requests repeat


class SharedMemory:
    """The shared memory of one client, on one event loop: its pool, and what its servers know of it.

    Regions that dead processes left behind are removed first. `reasons` counts what went with the message
    instead, by the reason.
    """

    def __init__(self, limit: int = LIMIT, *, least: int = LEAST) -> None:
        self.swept = sweep()
        self.pool = Pool(min(limit, spare_bytes() // 2))
        self.registrations = Registrations(self.pool)
        self.least = least
        self.requests = 0
        self.reasons: Counter[str] = Counter()
        self._unfit: set[tuple[str, str]] = set()
        """Models and outputs whose size is not what their metadata made believe."""
        self._open: set[Loan] = set()

    def __repr__(self) -> str:
        return f"SharedMemory({self.pool}, {len(self._open)} requests)"

    def empty(self, shape: int | Sequence[int], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """An array for an input: filled in place, it goes to a server of this host without a copy.

        It is an ordinary array where it is small, or where there is no room.
        """
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        if prod(sizes) * np.dtype(dtype).itemsize < self.least:
            return np.empty(sizes, dtype)
        return self.pool.empty(sizes, dtype)

    async def lend(
        self,
        server: str,
        incarnation: int,
        call: Call,
        model: str,
        inputs: Tensors,
        outputs: Mapping[str, int],
        timeout: float,  # noqa: ASYNC109
    ) -> Loan | None:
        """A request of a server with its large tensors in shared memory; None where none is there.

        `outputs` are those wanted, with their bytes, or 0 where that is not known. Arrays of `empty` and answers are
        sent from where they are, others are copied. Raises what `call` raises where the server is away.
        """
        if reason := self.registrations.refused(server, incarnation):
            self.reasons[f"{server}: {reason}"] += 1
            return None
        if self.pool.has_dropped:
            await self.registrations.tidy(server, timeout)
        loan = Loan(self, server, model)
        try:
            for name, array in inputs.items():
                loan.add_input(name, array, await self._span(array))
            for name, nbytes in outputs.items():
                large = nbytes >= self.least and (model, name) not in self._unfit
                loan.add_output(name, await self.pool.find(nbytes) if large else None, nbytes)
            if not loan.held:
                return None
            regions = {place.region for place in loan.held}
            reason = await self.registrations.ensure(server, incarnation, call, regions, timeout)
        except BaseException:
            loan.give_back()
            raise
        if reason:
            loan.give_back()
            self.reasons[f"{server}: {reason}"] += 1
            return None
        self.requests += 1
        self._open.add(loan)
        return loan

    def ended(self, loan: Loan) -> None:
        """Note that nobody waits for a request any more."""
        self._open.discard(loan)

    def cure(self, loan: Loan, error: BaseException) -> bool:
        """Take note of an error that is about the places themselves; true where the request may be sent again."""
        _, details = status_of(error)
        if UNKNOWN_REGION in details:
            self.registrations.forgotten(loan.server)
            return True
        if TOO_SMALL in details:
            self._unfit |= {(loan.model, name) for name in loan.outputs if f"'{name}'" in details}
            return True
        return False

    def report(self) -> dict[str, Any]:
        """Requests through shared memory, the memory in use, and why tensors went with the message instead."""
        return {
            "requests": self.requests,
            "regions": len(self.pool.regions()),
            "bytes": self.pool.reserved,
            "instead": dict(self.reasons + self.pool.refusals),
        }

    async def aclose(self) -> None:
        """Let the servers let go of all regions, and remove them; arrays on them stay valid."""
        for loan in self._open:
            loan.doubt()
        try:
            await self.registrations.aclose()
        finally:
            self.pool.close()

    async def _span(self, array: NDArray[Any]) -> Span | None:
        """Where an input lies in a place that is held for it; None where it goes with the message."""
        kind = NUMPY_TYPES[protocol_type(array)]
        if array.nbytes < self.least or kind.hasobject:
            return None
        if array.dtype == kind and (span := self.pool.span_of(array)):
            self.pool.hold(span.place)
            return span
        place = await self.pool.find(array.nbytes)
        if place is None:
            return None
        try:
            await _copy(array, self.pool.array(place, kind, array.shape, writeable=True))
        except BaseException:
            self.pool.release(place)
            raise
        return Span(place, 0, array.nbytes)


class Loan:
    """One request with places: `with loan:` around sending it and reading its answer.

    At the end the places are free for others, or retire where the server may still be at work on them.
    """

    def __init__(self, memory: SharedMemory, server: str, model: str) -> None:
        self.server = server
        self.model = model
        self.held: list[Place] = []
        self.outputs: dict[str, Place] = {}
        self._memory = memory
        self._inputs: list[Placed] = []
        self._wanted: list[tuple[str, Location | None]] = []
        self._messages: Tensors = {}
        """The inputs that go with the message."""
        self._answered = False

    def __repr__(self) -> str:
        return f"Loan({self.model!r} at {self.server}, {len(self.held)} places)"

    def add_input(self, name: str, array: NDArray[Any], span: Span | None) -> None:
        """Add a tensor, in a place that is held or with the message."""
        self._inputs.append(Placed(name, protocol_type(array), array.shape, span and span.location))
        if span is None:
            self._messages[name] = array
        else:
            self.held.append(span.place)

    def add_output(self, name: str, place: Place | None, nbytes: int) -> None:
        """Want an output, in a place that is held or with the answer."""
        if place is None:
            self._wanted.append((name, None))
            return
        self._wanted.append((name, Span(place, 0, nbytes).location))
        self.held.append(place)
        self.outputs[name] = place

    def parts(self, head: bytes) -> list[bytes | memoryview]:
        """The request behind a head without inputs and outputs."""
        return request_parts(head + _fields(tuple(self._inputs), tuple(self._wanted)), self._messages)

    def read(self, answer: bytes) -> Tensors:
        """The tensors of the answer, views of their places where they lie in one; raises `AnswerError`."""
        self._answered = True
        self._memory.registrations.remembered(self.server)
        placed = {name: partial(self._view, place) for name, place in self.outputs.items()}
        return parse_answer(answer, self.server, self.model, placed)

    def cure(self, error: BaseException) -> bool:
        """True where the request failed for its places and may be sent at once again, with new ones or with none."""
        return self._memory.cure(self, error)

    def doubt(self) -> None:
        """Note that the server may still be at work on the request."""
        for place in self.held:
            self._memory.registrations.doubt(self.server, place.region.name)

    def give_back(self) -> None:
        """End the holds of a request that has ended, or was never sent."""
        for place in self.held:
            self._memory.pool.release(place)
        self.held.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._memory.ended(self)
        code, _ = status_of(error)
        if error is None or self._answered or code in ENDED:
            self.give_back()
            return
        self.doubt()
        for place in self.held:
            self._memory.pool.abandon(place)
        self.held.clear()

    def _view(self, place: Place, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
        return self._memory.pool.array(place, NUMPY_TYPES[dtype], tuple(shape))


async def _copy(source: NDArray[Any], target: NDArray[Any]) -> None:
    """Copy an array in portions."""
    if source.flags.c_contiguous:
        source, target = source.reshape(-1), target.reshape(-1)
    step = max(PORTION * len(source) // source.nbytes, 1)
    for start in range(0, len(source), step):
        if start:
            await asyncio.sleep(0)
        np.copyto(target[start : start + step], source[start : start + step])
