"""The calls of the KServe v2 protocol, on tritonclient's generated servicer: a process can register only one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from eventbraid.errors import need_extra
from eventbraid.kserve.config import with_defaults
from eventbraid.kserve.shared import FOLDER
from eventbraid.kserve.wire import protocol
from eventbraid.serving.backends.failure import ModelFailure
from eventbraid.serving.embedded.calls.budget import Budget
from eventbraid.serving.embedded.calls.inferring import Inferring, status_of
from eventbraid.serving.embedded.calls.link import Link
from eventbraid.serving.embedded.calls.shared_memory import SharedRegions
from eventbraid.serving.embedded.calls.streaming import streamed
from eventbraid.serving.embedded.models.loaded import Models

__all__ = ["NAME", "Service"]

NAME: Final = "inference.GRPCInferenceService"
EXTENSIONS: Final = ("statistics", "model_repository", "model_configuration", "parameters")


class Service:
    """Answers the calls; `register` adds it to a server."""

    def __init__(self, models: Models, budget: Budget, link: Link) -> None:
        self._models = models
        self._budget = budget
        self._link = link
        self._regions = SharedRegions()
        self._inferring = Inferring(models, self._regions, budget)
        self._pb = protocol()
        self._grpc = need_extra("grpc", "inference", "serving models")

    def register(self, server: Any) -> None:
        """Let a server answer with this service; requests for inference come and go as bytes."""
        grpc = self._grpc
        generated = need_extra("tritonclient.grpc.service_pb2_grpc", "inference", "serving models")
        servicer: Any = generated.GRPCInferenceServiceServicer()
        calls: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
            "ModelConfig": self._model_config,
            "ModelStatistics": self._statistics,
            "RepositoryIndex": self._index,
            "RepositoryModelLoad": self._load,
            "RepositoryModelUnload": self._unload,
            "SystemSharedMemoryRegister": self._register_region,
            "SystemSharedMemoryStatus": self._region_status,
            "SystemSharedMemoryUnregister": self._unregister_region,
            "CudaSharedMemoryStatus": self._gpu_region_status,
        }
        for name, call in calls.items():
            setattr(servicer, name, self._guarded(call))
        servicer.ModelStreamInfer = self._stream
        generated.add_GRPCInferenceServiceServicer_to_server(servicer, server)
        # After those of the servicer, which it replaces.
        server.add_registered_method_handlers(NAME, {"ModelInfer": grpc.unary_unary_rpc_method_handler(self._infer)})

    def _guarded(self, call: Callable[[Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
        """The same with the status of what goes wrong."""

        async def answer(request: Any, context: Any) -> Any:
            try:
                return await call(request)
            except Exception as error:  # noqa: BLE001  # it is the request's
                return await self._abort(context, error)

        return answer

    async def _abort(self, context: Any, error: Exception) -> Any:
        code, details = status_of(error)
        error.__traceback__ = None  # gRPC keeps the error, and with it the request in every frame
        await context.abort(self._grpc.StatusCode[code], details)

    async def _infer(self, data: bytes, context: Any) -> bytes:
        try:
            if self._link.ideal:
                return await self._inferring.answer(data)
            await self._link.there(len(data))
            answer = await self._inferring.answer(data)
            await self._link.back(len(answer))
        except Exception as error:  # it is the request's
            del data
            await self._abort(context, error)
            raise AssertionError("abort raises") from error
        return answer

    def _stream(self, requests: AsyncIterator[Any], context: Any) -> AsyncGenerator[Any]:
        """Answer the requests of a stream; an error is the answer to its own request alone."""
        return streamed(requests, self._streamed, lambda request: self._models.is_decoupled(request.model_name))

    async def _streamed(self, request: Any) -> AsyncGenerator[Any]:
        """The answers to one request of a stream."""
        pb = self._pb
        data = request.SerializeToString()
        await self._link.there(len(data))
        try:
            async with aclosing(self._inferring.answers(data)) as answers:
                async for answer in answers:
                    await self._link.back(len(answer))
                    with self._budget.room(len(answer), "answer"):
                        yield pb.ModelStreamInferResponse(infer_response=pb.ModelInferResponse.FromString(answer))
        except Exception as error:  # noqa: BLE001  # it is the request's
            said = pb.ModelStreamInferResponse(error_message=status_of(error)[1])
            said.infer_response.id = request.id
            yield said

    async def _live(self, request: Any) -> Any:
        return self._pb.ServerLiveResponse(live=True)

    async def _ready(self, request: Any) -> Any:
        return self._pb.ServerReadyResponse(ready=True)

    async def _server_metadata(self, request: Any) -> Any:
        from eventbraid import __version__

        shared = ["system_shared_memory"] if FOLDER.is_dir() else []
        return self._pb.ServerMetadataResponse(
            name="eventbraid", version=__version__, extensions=[*EXTENSIONS, *shared]
        )

    async def _model_ready(self, request: Any) -> Any:
        return self._pb.ModelReadyResponse(ready=self._models.has(request.name, request.version))

    async def _model_metadata(self, request: Any) -> Any:
        entry = self._models.find(request.name, request.version).entry
        answer = self._pb.ModelMetadataResponse(
            name=entry.name, versions=entry.metadata.versions, platform=entry.config.platform or entry.backend
        )
        metadata = entry.metadata
        for specs, field in ((metadata.inputs, answer.inputs), (metadata.outputs, answer.outputs)):
            for spec in specs:
                field.add(name=spec.name, datatype=spec.dtype, shape=spec.shape)
        return answer

    async def _model_config(self, request: Any) -> Any:
        config = self._models.find(request.name, request.version).entry.config
        return self._pb.ModelConfigResponse(config=with_defaults(config))

    async def _statistics(self, request: Any) -> Any:
        models = self._models.named(request.name, request.version) if request.name else list(self._models)
        answer = self._pb.ModelStatisticsResponse()
        for model in models:
            model.statistics.write(answer.model_stats.add(name=model.entry.name, version=model.version))
        return answer

    async def _index(self, request: Any) -> Any:
        _check_repository(request)
        answer = self._pb.RepositoryIndexResponse()
        for name, version, state, reason in self._models.index():
            if state == "READY" or not request.ready:
                answer.models.add(name=name, version=version, state=state, reason=reason)
        return answer

    async def _load(self, request: Any) -> Any:
        _check_repository(request)
        config = request.parameters["config"].string_param if "config" in request.parameters else ""
        await self._models.load(request.model_name, config)
        return self._pb.RepositoryModelLoadResponse()

    async def _unload(self, request: Any) -> Any:
        _check_repository(request)
        await self._models.unload(request.model_name)
        return self._pb.RepositoryModelUnloadResponse()

    async def _register_region(self, request: Any) -> Any:
        self._regions.register(request.name, request.key, request.offset, request.byte_size)
        return self._pb.SystemSharedMemoryRegisterResponse()

    async def _unregister_region(self, request: Any) -> Any:
        self._regions.unregister(request.name)
        return self._pb.SystemSharedMemoryUnregisterResponse()

    async def _region_status(self, request: Any) -> Any:
        answer = self._pb.SystemSharedMemoryStatusResponse()
        for region in self._regions.status(request.name):
            status = answer.regions[region.name]
            status.name, status.key, status.offset, status.byte_size = (
                region.name,
                region.key,
                region.offset,
                region.size,
            )
        return answer

    async def _gpu_region_status(self, request: Any) -> Any:
        return self._pb.CudaSharedMemoryStatusResponse()


def _check_repository(request: Any) -> None:
    """Raise `ModelFailure` where a request names one of several repositories, of which there is one."""
    if request.repository_name:
        raise ModelFailure("'repository_name' specification is not supported", "UNIMPLEMENTED")
