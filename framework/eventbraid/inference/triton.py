"""The client of Triton, and of every server of its protocol: the way of a request, from tensors to tensors."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Final, Unpack

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventbraid.errors import AnswerError, ConfigurationError, ServerError, ServerTimeout
from eventbraid.inference.client import RequestOptions
from eventbraid.inference.coalescing import Coalesce, Coalescer
from eventbraid.inference.gathering import end, together
from eventbraid.inference.memory import SharedMemory
from eventbraid.inference.pieces import pieces, rejoin, rows_of_a_piece
from eventbraid.inference.pool.discovery import Discovery
from eventbraid.inference.pool.endpoint import Connect
from eventbraid.inference.pool.pool import Pool, Serving, Wish
from eventbraid.inference.pool.served import Served
from eventbraid.inference.retry import Next, failure, is_to_blame, next_step, pause, server_error
from eventbraid.inference.servers.given import Server, servers_of
from eventbraid.inference.servers.replicas import resolved
from eventbraid.inference.transport.base import TransportError
from eventbraid.inference.transport.http2 import Http2Transport
from eventbraid.kserve import ModelMetadata, Tensors, check_inputs, check_names, check_response
from eventbraid.kserve.rows import missing_rows, rows
from eventbraid.kserve.tensors import protocol_type
from eventbraid.kserve.wire import parse_answer, request_head, request_parts
from eventbraid.services.stalls import Stalls
from eventbraid.whereabouts import waiting_for

__all__ = ["TritonClient"]


CURES: Final = 3
"""How often a request is sent again because its places in shared memory were at fault, before it goes without."""


@dataclass(slots=True)
class _Request:
    """A request as it goes to whichever server takes it."""

    model: str
    version: str
    inputs: Tensors
    rows: int
    outputs: tuple[str, ...]
    deadline: float
    tries: int
    wish: Wish
    compression: str


class TritonClient:
    """Inference on one or several servers, by one event loop: that on which it is first used.

    A request goes to a server that is ready and has the model: the preferred one, else where it would wait
    least. One that fails is sent again, elsewhere where there is an elsewhere, until its deadline. A server
    that is away is set aside and looked at until it is back.
    """

    def __init__(
        self,
        servers: Sequence[str | Path | Server],
        *,
        connect: Connect = Http2Transport,
        say: Callable[[str], None] = lambda line: None,
        patient: bool = True,
    ) -> None:
        self._servers = servers_of(servers, os.environ)
        if not self._servers:
            raise ConfigurationError("a client needs at least one server", "servers")
        self._connect = connect
        self._say = say
        self._patient = patient
        self._heads: dict[tuple[Any, ...], bytes] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._memory: SharedMemory | None = None
        self._coalescers: dict[tuple[Any, ...], Coalescer] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"TritonClient({', '.join(each.name for each in self._servers)})"

    async def metadata(self, model: str, version: str = "", *, timeout: float = 5.0) -> ModelMetadata:  # noqa: ASYNC109
        """See `InferenceClient.metadata`."""
        serving = await self._serving(model, version, monotonic() + timeout)
        metadata, _ = serving.metadata()
        return metadata

    def configs(self, model: str, version: str = "") -> Mapping[str, Any]:
        """See `InferenceClient.configs`."""
        serving = self._pool.models.get((model, version)) if self._loop is not None else None
        return {} if serving is None else {served.name: served.metadata.config for served in serving.served}

    async def infer(self, model: str, inputs: Tensors, **options: Unpack[RequestOptions]) -> Tensors:
        """See `InferenceClient.infer`."""
        deadline = monotonic() + options.get("timeout", 30.0)
        version = options.get("version", "")
        outputs = tuple(options.get("outputs", ()))
        serving = await self._serving(model, version, deadline)
        metadata, server = serving.metadata()
        check_inputs(metadata, inputs, server)
        if outputs:
            check_names(metadata, outputs, server)
        self._stalls.start()
        preferred, priority = options.get("preferred_server", ""), options.get("priority", 0)
        wish = Wish(size(inputs), deadline, preferred, priority, patient=self._patient)
        compression = options.get("compression", "")
        request = _Request(
            model, version, inputs, rows(inputs), outputs, deadline, options.get("tries", 0), wish, compression
        )
        most = rows_of_a_piece(metadata, options.get("batch_size", 0))
        how, hedge_after = options.get("coalesce"), options.get("hedge_after")
        if how is not None and request.rows < how.max_rows:
            return await self._coalescer(serving, request, most, hedge_after, how).ask(inputs, deadline)
        return await self._whole(serving, request, most, hedge_after)

    async def _whole(self, serving: Serving, request: _Request, most: int, hedge_after: float | None) -> Tensors:
        """The answer to a request, which is sent in pieces of at most so many rows."""
        parts = pieces(request.inputs, most, request.model)
        if len(parts) > 1:
            requests = [piece(request, part) for part in parts]
            answers = await together([self._hedged(serving, each, hedge_after) for each in requests])
            return rejoin(answers, [each.rows for each in requests], model=request.model)
        return await self._hedged(serving, request, hedge_after)

    def _coalescer(
        self, serving: Serving, request: _Request, most: int, hedge_after: float | None, how: Coalesce
    ) -> Coalescer:
        """That of the requests with these options, for which this one is a pattern."""
        wish = request.wish
        options = (request.outputs, request.tries, request.compression, wish.preferred, wish.priority)
        key = (request.model, request.version, *options, most, hedge_after, how)
        found = self._coalescers.get(key)
        if found is None:

            async def send(inputs: Tensors, deadline: float) -> Tensors:
                one = piece(replace(request, deadline=deadline, wish=replace(wish, deadline=deadline)), inputs)
                return await self._whole(serving, one, most, hedge_after)

            found = self._coalescers[key] = Coalescer(how, send, lambda: self._pool.room(serving))
            self._pool.on_room.append(found.notify)
        return found

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """An array for an input, in shared memory where a server of this host may take it from there."""
        return np.empty(shape, dtype) if self._memory is None else self._memory.empty(shape, dtype)

    async def report(self) -> dict[str, Any]:
        """What was asked of models and servers, the shared memory, and how long the event loop stood still."""
        if self._loop is None:
            return {}
        self._here()
        memory = {"shared_memory": self._memory.report()} if self._memory is not None else {}
        stalls = {"count": self._stalls.count, "longest_seconds": self._stalls.longest}
        coalesced = [
            {"model": key[0], "asked": each.asked, "sent": each.sent, "waited": each.waited.to_dict()}
            for key, each in self._coalescers.items()
        ]
        pool = await self._pool.report(monotonic() - self._began)
        return {**pool, **memory, "coalesced": coalesced, "loop_stalls": stalls}

    async def aclose(self) -> None:
        """Close the connections; requests in flight end as unavailable, and none is taken from here on."""
        if self._closed:
            return
        if self._loop is not None:
            self._here()
        self._closed = True
        if self._loop is not None:
            self._stalls.stop()
            self._pool.close()
            try:
                for coalescer in self._coalescers.values():
                    await coalescer.aclose()
                if self._memory is not None:
                    await self._memory.aclose()
            finally:
                await self._pool.aclose()

    def _here(self) -> None:
        """Bind the client to the running loop, or see that it is the one it is bound to."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._pool = Pool(self._servers, self._connect)
            self._discovery = Discovery(self._pool, self._say, patient=self._patient)
            local = any(endpoint.local for endpoint in self._pool.endpoints)
            self._memory = SharedMemory() if local else None
            self._stalls = Stalls()
            self._began = monotonic()
            self._loop = loop
        elif self._loop is not loop:
            what = "this client is bound to the event loop on which it was first used: make one for each loop"
            raise ServerError(what, server=", ".join(each.name for each in self._servers))

    async def _serving(self, model: str, version: str, deadline: float) -> Serving:
        if self._loop is None and not self._closed and any(each.replicas for each in self._servers):
            await self._resolve(deadline)
        if self._closed:
            raise ServerError("this client is closed", server=", ".join(each.name for each in self._servers))
        if self._loop is None or asyncio.get_running_loop() is not self._loop:
            self._here()
        serving = self._pool.models.get((model, version))
        if serving is None or not serving.served:
            return await self._discovery.find(model, version, deadline)
        return serving

    async def _resolve(self, deadline: float) -> None:
        try:
            async with asyncio.timeout(deadline - monotonic()):
                servers = await resolved(self._servers)
        except TimeoutError:
            names = ", ".join(each.name for each in self._servers if each.replicas)
            raise ServerTimeout("no addresses before the deadline", server=names) from None
        if self._loop is None:  # else another request was first
            self._servers = servers

    async def _hedged(self, serving: Serving, request: _Request, after: float | None) -> Tensors:
        """The first answer of one request, or of a second one that is sent elsewhere where the first takes long."""
        if after is None:
            return await self._persist(serving, request)
        asked = set[str]()
        first = asyncio.create_task(self._persist(serving, request, asked))
        running = {first}
        try:
            with waiting_for(running):
                await asyncio.wait(running, timeout=after)
                if asked and not first.done() and serving.others(asked):
                    elsewhere = replace(request, wish=replace(request.wish, avoid=frozenset(asked), strictly=True))
                    running.add(asyncio.create_task(self._persist(serving, elsewhere, second=True)))
                waiting = set(running)
                while True:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    good = [each for each in done if each.exception() is None]
                    if good or not waiting:
                        return (good or [first])[0].result()
        finally:
            await end(running)

    async def _persist(
        self, serving: Serving, request: _Request, asked: set[str] | None = None, *, second: bool = False
    ) -> Tensors:
        """Try until it works or fails for good, or until the deadline; `asked` gets the names of the servers."""
        tried, failed, wish = 0, set(request.wish.avoid), request.wish
        before: ServerError | None = None
        while True:
            tried += 1
            began = monotonic()
            try:
                served = await self._pool.take(serving, wish)
            except ServerError as error:
                if before is not None and wish.strictly:
                    raise before from None
                if before is not None:
                    error.add_note(f"before that: {before}")
                raise
            sent = monotonic()
            account = served.account
            account.tries += 1
            account.hedged += second
            account.waited.add(sent - began)
            if asked is not None:
                asked.add(served.name)
            try:
                tensors = await self._attempt(served, request)
            except BaseException as error:
                self._pool.give(served, request.wish.nbytes, monotonic() - sent, error)
                if not isinstance(error, ServerError):
                    raise
                account.failures[failure(error)] += 1
                if is_to_blame(error):
                    served.failed()
                left = request.deadline - monotonic()
                again = served.name in failed
                failed.add(served.name)
                others = serving.others(failed)
                step = next_step(error, tried=tried, tries=request.tries, left=left, others=others)
                if step is Next.FAIL:
                    if before is not None and isinstance(error, ServerTimeout):
                        error.add_note(f"before that: {before}")
                    raise
                before = error.with_traceback(None)  # which would hold this very frame, and the tensors
            else:
                self._pool.give(served, request.wish.nbytes, monotonic() - sent)
                served.did_well()
                account.requests += 1
                account.rows += request.rows
                account.bytes_sent += request.wish.nbytes
                account.bytes_received += size(tensors)
                return tensors
            if step is Next.LATER and (again or not others):
                await asyncio.sleep(min(pause(tried, random.random()), left))
            wish = replace(wish, avoid=frozenset(failed), strictly=step is Next.ELSEWHERE)

    async def _attempt(self, served: Served, request: _Request) -> Tensors:
        """Send a request to a server once."""
        if self._memory is not None and served.endpoint.local:
            tensors = await self._in_memory(self._memory, served, request)
            if tensors is not None:
                return tensors
        parts = request_parts(self._head(request), request.inputs)
        sent = monotonic()
        answer = await served.endpoint.call("ModelInfer", parts, request.deadline, request.model, request.compression)
        served.took(monotonic() - sent)
        tensors = parse_answer(answer, served.name, request.model)
        check_answer(served, request, tensors)
        return tensors

    async def _in_memory(self, memory: SharedMemory, served: Served, request: _Request) -> Tensors | None:
        """The same with large tensors in shared memory; None where there are none, or they cannot be there."""
        endpoint = served.endpoint
        outputs = served.output_sizes(request.rows, request.outputs)
        if request.wish.nbytes < memory.least and max(outputs.values(), default=0) < memory.least:
            return None

        model = request.model  # what is called later must not keep the request's tensors

        async def call(method: str, data: bytes, seconds: float) -> bytes:
            return await endpoint.call(method, [data], monotonic() + seconds, model)

        for _ in range(CURES):
            left = request.deadline - monotonic()
            try:
                loan = await memory.lend(
                    endpoint.name, endpoint.incarnation, call, request.model, request.inputs, outputs, left
                )
            except TransportError as error:
                raise server_error(error, endpoint.name, request.model) from error
            if loan is None:
                return None
            parts = loan.parts(self._head(replace(request, inputs={}, outputs=())))
            sent = monotonic()
            try:
                with loan:
                    answer = await endpoint.call("ModelInfer", parts, request.deadline, request.model)
                    served.took(monotonic() - sent)
                    served.account.in_memory += 1
                    tensors = loan.read(answer)
            except ServerError as error:
                if not loan.cure(error):
                    raise
            else:
                check_answer(served, request, tensors)
                return tensors
        return None

    def _head(self, request: _Request) -> bytes:
        shapes = tuple((name, protocol_type(array), array.shape) for name, array in request.inputs.items())
        key = (request.model, request.version, request.wish.priority, shapes, request.outputs)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= 1024:  # every event may have a shape of its own
                self._heads.clear()
            head = self._heads[key] = request_head(
                request.model, request.version, request.inputs, request.outputs, request.wish.priority
            )
        return head


def size(tensors: Tensors) -> int:
    """Bytes of all tensors together."""
    return sum(array.nbytes for array in tensors.values())


def piece(request: _Request, inputs: Tensors) -> _Request:
    """The same request for some of its rows."""
    return replace(request, inputs=inputs, rows=rows(inputs), wish=replace(request.wish, nbytes=size(inputs)))


def check_answer(served: Served, request: _Request, answer: Tensors) -> None:
    """Raise `AnswerError` unless the answer has what the metadata promise, and a row for each row that was sent."""
    check_response(served.metadata, answer, request.outputs, served.name)
    if served.metadata.max_batch and (fault := missing_rows(answer, request.rows)):
        raise AnswerError(f"the answer's {fault}", server=served.name, model=request.model)
