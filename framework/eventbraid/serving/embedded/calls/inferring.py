"""A request for inference, from its bytes to those of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, Final

from eventbraid.errors import RequestError
from eventbraid.kserve import check_inputs, check_names
from eventbraid.kserve.rows import check_batch, rows
from eventbraid.kserve.tensors import encode
from eventbraid.serving.backends.base import Parameter, Reply, Request
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.calls.budget import Budget
from eventbraid.serving.embedded.calls.requests import (
    EMPTY_FINAL,
    answer_bytes,
    parameters_of,
    read_request,
    tensors_of,
)
from eventbraid.serving.embedded.calls.shared_memory import SharedMemoryError, SharedRegions, location_of
from eventbraid.serving.embedded.models.loaded import Models
from eventbraid.serving.embedded.models.model import Model

__all__ = ["Inferring", "status_of"]

NO_PARAMETERS: Final[Mapping[str, Parameter]] = MappingProxyType({})
FINAL: Final[Mapping[str, Parameter]] = MappingProxyType({"triton_final_response": True})

LONGEST_TEXT: Final = 2000
"""Characters of what is said of an error."""


def status_of(error: Exception) -> tuple[str, str]:
    """The name of the gRPC status and the text for what went wrong; the model's failure is its request's."""
    if isinstance(error, (ModelFailure, SharedMemoryError)):
        return error.code, _short(error.details)
    if isinstance(error, RequestError):
        return "INVALID_ARGUMENT", _short(str(error.args[0]))
    first = (str(error).splitlines() or [""])[0]
    return "INTERNAL", _short(f"the model failed: {first or type(error).__name__}")


def _short(text: str) -> str:
    """A text that quotes something long from the request without its middle: gRPC's clients refuse 16 kB of it."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT // 2]} ... {text[-LONGEST_TEXT // 2 :]}"


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
        """The bytes of all answers: one, or those of a decoupled model; each says whether it is the last."""
        message, contents = read_request(data)
        model = self._models.find(message.model_name, message.model_version)
        with self._budget.room(len(data)), self._regions.used_by(message):
            request = self._request(model, message, contents)
            if not model.decoupled:
                yield self._bytes(model, message, await model.infer(request), FINAL)
                return
            reply: Reply | None = None
            async with aclosing(self._decoupled(model, request)) as replies:
                async for reply in replies:
                    yield self._bytes(model, message, reply, {"triton_final_response": reply.final})
            if (reply is None or not reply.final) and message.parameters[EMPTY_FINAL].bool_param:
                yield answer_bytes(model.entry.name, model.version, message.id, (), FINAL)

    async def _decoupled(self, model: Model, request: Request) -> AsyncGenerator[Reply]:
        """The answers of a decoupled model as they come; raises the error that one of them is.

        Those that cannot be sent yet are in the budget; where it has no room for one, that is the last, and an error.
        """
        arrived: asyncio.Queue[Reply | None] = asyncio.Queue()

        def arrive(reply: Reply) -> None:
            if request.cancelled:
                return
            try:
                self._budget.take(reply.nbytes, "answer")
            except ModelFailure as error:
                reply = Reply(error=error)
            arrived.put_nowait(reply)

        model.stream(request, arrive)
        working = asyncio.ensure_future(model.infer(request))
        working.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            while (reply := await arrived.get()) is not None:
                self._budget.give(reply.nbytes)
                if reply.error is not None:
                    raise reply.error
                yield reply
            await working
        finally:
            request.cancelled = True
            while not arrived.empty():
                left = arrived.get_nowait()
                self._budget.give(left.nbytes if left is not None else 0)
            working.cancel()
            await asyncio.wait([working])

    def _request(self, model: Model, message: Any, contents: Sequence[bytes | memoryview]) -> Request:
        metadata, most = model.entry.metadata, model.entry.max_batch_size
        wanted = tuple(output.name for output in message.outputs)
        inputs = tensors_of(message, contents, metadata, self._regions)
        check_inputs(metadata, inputs)
        check_names(metadata, wanted)
        check_batch(metadata, inputs, most)
        made = Request(model.shapes.taken(inputs), rows(inputs) if most else 1, wanted, message.id)
        if most and not made.rows:
            raise RequestError("a batch of no rows", model=metadata.name)
        if message.parameters:
            made.parameters = parameters_of(message)
            made.priority = _number(message, "priority")
            made.timeout = _number(message, "timeout") * 1e-6
            made.sequence = _sequence(message)
        return made

    def _bytes(self, model: Model, message: Any, reply: Reply, more: Mapping[str, Parameter] = NO_PARAMETERS) -> bytes:
        given = model.shapes.given(reply.outputs)
        located = {output.name: location_of(output) for output in message.outputs}
        outputs = []
        for spec in model.entry.metadata.outputs:
            name = spec.name
            if name not in given or (located and name not in located):
                continue
            array, location = given[name], located.get(name)
            if location is not None:
                self._regions.write(location, name, encode(array))
            outputs.append((name, array, location is not None))
        parameters = {**reply.parameters, **more} if more else reply.parameters
        return answer_bytes(model.entry.name, model.version, message.id, outputs, parameters)


def _number(message: Any, name: str) -> int:
    """A parameter that is a number, however it is written; 0 where it is not there."""
    if name not in message.parameters:
        return 0
    value = message.parameters[name]
    kind = value.WhichOneof("parameter_choice")
    if kind not in ("int64_param", "uint64_param") or getattr(value, kind) < 0:
        what = f"invalid value type for '{name}' parameter, expected int64_param or uint64_param."
        raise RequestError(what, model=message.model_name)
    return int(getattr(value, kind))


def _sequence(message: Any) -> int | str:
    """The number or name of a sequence; 0 where there is none."""
    if "sequence_id" not in message.parameters:
        return 0
    value = message.parameters["sequence_id"]
    return str(value.string_param) or int(value.int64_param or value.uint64_param)
