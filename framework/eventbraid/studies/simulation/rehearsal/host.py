"""A server as a process of its own: the batcher's `Model`, asked over a simulated network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventbraid.inference.transport.base import TransportError
from eventbraid.kserve import ModelMetadata
from eventbraid.kserve.config import parse_config
from eventbraid.kserve.wire import protocol
from eventbraid.serving.backends.base import Request
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.models.model import Model
from eventbraid.serving.emulation import Clock
from eventbraid.serving.repository.layout import ModelEntry
from eventbraid.studies.simulation import study as described
from eventbraid.studies.simulation.configuration import config_text
from eventbraid.studies.simulation.log import Batches, Log, Spans
from eventbraid.studies.simulation.rehearsal.copy import Copy, VirtualWorker
from eventbraid.studies.simulation.wires import wires
from eventbraid.testing.world import Process, World

__all__ = ["Asked", "Host"]


@dataclass(slots=True, eq=False)
class Asked:
    """A call that a server has: where its answer goes."""

    client: Process
    method: str
    model: str
    rows: int
    answer: asyncio.Future[bytes]
    task: asyncio.Task[None] | None = None


class Host:
    """One server: it dies and comes back as its description says, `offset` seconds later than that."""

    def __init__(self, world: World, server: described.Server, log: Log, offset: float) -> None:
        self.server = server
        self.process = world.process(server.name)
        self._log, self._offset = log, offset
        self._half = server.network.latency / 2
        bandwidth = server.network.server
        self._in, self._out = wires(bandwidth)
        self._batches = log.batches[server.name] = Batches()
        self._waits = log.waiting[server.name] = Spans()
        self._models: dict[str, Model] = {}
        self._present: dict[Asked, None] = {}
        self._pb: Any = protocol()
        for failure in server.failures:
            for when in (failure.at, failure.until):
                if when < float("inf"):
                    self.process.call_at(when + offset, self._turn)

    def __repr__(self) -> str:
        return f"Host({self.server.name}, {len(self._present)} calls)"

    @property
    def up(self) -> bool:
        """True while it lives."""
        return self.server.up(self.process.now - self._offset)

    async def start(self) -> None:
        """Load the models, each on GPUs that have time."""
        clocks = [Clock(self.process.time) for _ in range(self.server.device.gpus)]
        for name, model in self.server.models.items():
            service = self.server.device.service(name)
            copies = [
                Copy(each, service, self._batches, self._waits) for each in clocks for _ in range(model.instances)
            ]
            makes = [lambda copy=copy: copy for copy in copies]
            self._models[name] = made = Model(entry_of(name, model), "1", makes, VirtualWorker)
            await made.start()

    def arrive(self, asked: Asked) -> None:
        """A call is here, or its first byte where the link takes time."""
        if not self.up:
            self._say(asked, TransportError("UNAVAILABLE", "failed to connect: Connection refused"))
            return
        self._present[asked] = None
        through = self.process.now
        if self._in is not None and asked.method == "ModelInfer":
            through = self._in.sent(asked.rows * self.server.models[asked.model].row_bytes, through)
        if through > self.process.now:
            self.process.call_at(through, self._begin, asked)
        else:
            self._begin(asked)

    def cancel(self, asked: Asked) -> None:
        """Nobody waits for its answer any more."""
        if self._present.pop(asked, asked) is None and asked.task is not None:
            asked.task.cancel()

    def _begin(self, asked: Asked) -> None:
        if asked in self._present:
            asked.task = self.process.create_task(self._serve(asked))

    async def _serve(self, asked: Asked) -> None:
        try:
            if asked.method == "ModelInfer":
                model = self._models[asked.model]
                await model.infer(Request({}, asked.rows, since=self.process.now))
            said: bytes | TransportError = self._answer(asked)
        except ModelFailure as error:
            said = TransportError(error.code, error.details)
        if self._present.pop(asked, asked) is None:
            self._say(asked, said)

    def _say(self, asked: Asked, said: bytes | TransportError) -> None:
        through = self.process.now
        if self._out is not None and asked.method == "ModelInfer" and isinstance(said, bytes):
            through = self._out.sent(asked.rows * self.server.models[asked.model].answer_bytes, through)
        asked.client.call_at(through + self._half, _set, asked.answer, said)

    def _turn(self) -> None:
        """Die with all that is here, or be back."""
        if self.up:
            self.process.create_task(self.start())
            return
        self._models.clear()
        lost, self._present = self._present, {}
        for asked in lost:
            if asked.task is not None:
                asked.task.cancel()
            self._say(asked, TransportError("UNAVAILABLE", "Socket closed"))

    def _answer(self, asked: Asked) -> bytes:
        pb, method = self._pb, asked.method
        if method == "ModelInfer":
            answer = pb.ModelInferResponse(model_name=asked.model)
            answer.outputs.add(name="y", datatype="UINT8", shape=[asked.rows, 0])
            answer.raw_output_contents.append(b"")
        elif method == "ModelMetadata":
            answer = pb.ModelMetadataResponse(name=asked.model, versions=["1"])
            answer.inputs.add(name="x", datatype="UINT8", shape=[-1, -1])
            answer.outputs.add(name="y", datatype="UINT8", shape=[-1, 0])
        elif method == "ModelConfig":
            answer = pb.ModelConfigResponse(config=self._models[asked.model].entry.config)
        elif method == "RepositoryIndex":
            answer = pb.RepositoryIndexResponse()
            for each in self._models:
                answer.models.add(name=each, version="1", state="READY")
        elif method == "ServerReady":
            answer = pb.ServerReadyResponse(ready=True)
        elif method == "ServerLive":
            answer = pb.ServerLiveResponse(live=True)
        else:
            raise ModelFailure(f"{method} is not simulated", "UNIMPLEMENTED")
        serialized: bytes = answer.SerializeToString()
        return serialized


def entry_of(name: str, model: described.Model) -> ModelEntry:
    """The model as a repository's, with a configuration that batches as described."""
    config = parse_config(config_text(name, model), name)
    metadata = ModelMetadata(name, ("1",), (), (), model.batching.most, config)
    return ModelEntry(name, {"1": Path("model.onnx")}, config, metadata)


def _set(answer: asyncio.Future[bytes], said: bytes | TransportError) -> None:
    if answer.done():
        return
    if isinstance(said, TransportError):
        answer.set_exception(said)
    else:
        answer.set_result(said)
