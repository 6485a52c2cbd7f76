"""A request for inference, from its bytes to those of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Any

from eventbraid.errors import RequestError
from eventbraid.kserve import check_inputs, check_names
from eventbraid.kserve.rows import check_batch, rows
from eventbraid.kserve.tensors import encode
from eventbraid.serving.backends.base import Reply, Request
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.budget import Budget
from eventbraid.serving.model import Model
from eventbraid.serving.models import Models
from eventbraid.serving.requests import answer_bytes, parameters_of, read_request, tensors_of
from eventbraid.serving.shared_memory import SharedMemoryError, SharedRegions, location_of

__all__ = ["Inferring", "status_of"]


def status_of(error: Exception) -> tuple[str, str]:
    """The name of the gRPC status and the text for what went wrong; the model's failure is its request's."""
    if isinstance(error, (ModelFailure, SharedMemoryError)):
        return error.code, error.details
    if isinstance(error, RequestError):
        return "INVALID_ARGUMENT", str(error.args[0])
    first = (str(error).splitlines() or [""])[0]
    return "INTERNAL", f"the model failed: {first or type(error).__name__}"


class Inferring:
    """Answers requests with the models; all together may take as much memory as the budget allows."""

    def __init__(self, models: Models, regions: SharedRegions, budget: Budget) -> None:
        self._models, self._regions, self._budget = models, regions, budget

    async def answer(self, data: bytes) -> bytes:
        """The bytes of the one answer; raises what `status_of` knows."""
        message, contents = read_request(data)
        model = self._models.find(message.model_name, message.model_version)
        if model.decoupled:
            what = f"ModelInfer RPC doesn't support models with decoupled transaction policy: '{message.model_name}'"
            raise ModelFailure(what, "UNIMPLEMENTED")
        with self._budget.room(len(data)), self._regions.used_by(message):
            request = self._request(model, message, contents)
            return self._bytes(model, message, await model.infer(request))

    async def answers(self, data: bytes) -> AsyncGenerator[bytes]:
        """The bytes of all answers: one, or those of a decoupled model."""
        message, contents = read_request(data)
        model = self._models.find(message.model_name, message.model_version)
        if not model.decoupled:
            yield await self.answer(data)
            return
        with self._budget.room(len(data)), self._regions.used_by(message):
            request = self._request(model, message, contents)
            arrived: asyncio.Queue[Reply | None] = asyncio.Queue()
            model.stream(request, partial(self._arrive, request, arrived))
            working = asyncio.ensure_future(model.infer(request))
            working.add_done_callback(lambda _: arrived.put_nowait(None))
            try:
                while (reply := await arrived.get()) is not None:
                    self._budget.give(reply.nbytes)
                    if reply.error is not None:
                        raise reply.error
                    yield self._bytes(model, message, reply)
                await working
            finally:
                request.cancelled = True
                while not arrived.empty():
                    left = arrived.get_nowait()
                    self._budget.give(left.nbytes if left is not None else 0)
                working.cancel()
                await asyncio.wait([working])

    def _arrive(self, request: Request, arrived: asyncio.Queue[Reply | None], reply: Reply) -> None:
        """Keep an answer of a decoupled model until it can be sent; where there is no room it is an error."""
        if request.cancelled:
            return
        try:
            self._budget.take(reply.nbytes, "answer")
        except ModelFailure as error:
            reply = Reply(error=error)
        arrived.put_nowait(reply)

    def _request(self, model: Model, message: Any, contents: Sequence[bytes | memoryview]) -> Request:
        metadata, most = model.entry.metadata, model.entry.max_batch_size
        wanted = tuple(output.name for output in message.outputs)
        inputs = tensors_of(message, contents, metadata, self._regions)
        check_inputs(metadata, inputs)
        check_names(metadata, wanted)
        check_batch(metadata, inputs, most)
        made = Request(inputs, rows(inputs) if most else 1, wanted, message.id)
        if message.parameters:
            made.parameters = parameters_of(message)
            made.priority = _number(message, "priority")
            made.timeout = _number(message, "timeout") * 1e-6
        return made

    def _bytes(self, model: Model, message: Any, reply: Reply) -> bytes:
        wanted = [output.name for output in message.outputs] or list(reply.outputs)
        if missing := [name for name in wanted if name not in reply.outputs]:
            raise ModelFailure(f"the model's answer lacks output {missing[0]!r}")
        located = {output.name: location_of(output) for output in message.outputs}
        outputs = []
        for name in wanted:
            array, location = reply.outputs[name], located.get(name)
            if location is not None:
                self._regions.write(location, name, encode(array))
            outputs.append((name, array, location is not None))
        entry = model.entry
        return answer_bytes(entry.name, model.version, message.id, outputs, reply.parameters)


def _number(message: Any, name: str) -> int:
    """A parameter that is a number, however it is written; 0 where it is not there."""
    if name not in message.parameters:
        return 0
    value = message.parameters[name]
    return int(value.uint64_param or value.int64_param)
