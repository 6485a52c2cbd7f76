"""The embedded server: the KServe v2 protocol over grpc.aio, ONNX models on the CPU. For development, not production.

It implements tritonclient's own generated servicer, since a process can register those messages only once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final

from eventbraid.errors import ConfigurationError, RequestError, nearest, need_extra
from eventbraid.kserve import check_inputs, check_names
from eventbraid.kserve.rows import check_batch
from eventbraid.kserve.shared import FOLDER
from eventbraid.kserve.tensors import encode, protocol_type
from eventbraid.kserve.wire import protocol
from eventbraid.serving.guarding import ServerTLS, interceptors
from eventbraid.serving.repository import Repository
from eventbraid.serving.requests import tensors_of
from eventbraid.serving.runner import Runner
from eventbraid.serving.shared_memory import SharedMemoryError, SharedRegions, location_of

__all__ = ["Service", "serving"]

OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Two servers on one port would share its requests at random.
    ("grpc.so_reuseport", 0),
)


class Service:
    """Answers the calls of the protocol; `register` adds it to a gRPC server."""

    def __init__(self, runners: dict[str, Runner], latency: float = 0.0) -> None:
        self._runners = runners
        self._latency = latency
        self._regions = SharedRegions()
        self._pb = protocol()
        self._grpc = need_extra("grpc", "inference", "serving models")

    def register(self, server: Any) -> None:
        """Let a grpc.aio server answer with this service."""
        generated = need_extra("tritonclient.grpc.service_pb2_grpc", "inference", "serving models")
        servicer: Any = generated.GRPCInferenceServiceServicer()
        calls: dict[str, Callable[[Any, Any], Awaitable[Any]]] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
            "ModelConfig": self._model_config,
            "ModelStatistics": self._statistics,
            "RepositoryIndex": self._index,
            "ModelInfer": self._infer,
            "SystemSharedMemoryRegister": self._register_region,
            "SystemSharedMemoryStatus": self._region_status,
            "SystemSharedMemoryUnregister": self._unregister_region,
        }
        for name, call in calls.items():
            setattr(servicer, name, call)
        generated.add_GRPCInferenceServiceServicer_to_server(servicer, server)

    async def _live(self, request: Any, context: Any) -> Any:
        return self._pb.ServerLiveResponse(live=True)

    async def _ready(self, request: Any, context: Any) -> Any:
        return self._pb.ServerReadyResponse(ready=True)

    async def _server_metadata(self, request: Any, context: Any) -> Any:
        from eventbraid import __version__

        extensions = ["statistics", "system_shared_memory"] if FOLDER.is_dir() else ["statistics"]
        return self._pb.ServerMetadataResponse(name="eventbraid", version=__version__, extensions=extensions)

    async def _model_ready(self, request: Any, context: Any) -> Any:
        runner = self._runners.get(request.name)
        ready = runner is not None and request.version in ("", runner.entry.version)
        return self._pb.ModelReadyResponse(ready=ready)

    async def _model_metadata(self, request: Any, context: Any) -> Any:
        runner = await self._find(request.name, request.version, context)
        answer = self._pb.ModelMetadataResponse(
            name=runner.entry.name, versions=runner.entry.metadata.versions, platform=runner.entry.config.platform
        )
        metadata = runner.entry.metadata
        for specs, field in ((metadata.inputs, answer.inputs), (metadata.outputs, answer.outputs)):
            for spec in specs:
                field.add(name=spec.name, datatype=spec.dtype, shape=spec.shape)
        return answer

    async def _model_config(self, request: Any, context: Any) -> Any:
        runner = await self._find(request.name, request.version, context)
        return self._pb.ModelConfigResponse(config=runner.entry.config)

    async def _index(self, request: Any, context: Any) -> Any:
        answer = self._pb.RepositoryIndexResponse()
        for name, runner in self._runners.items():
            answer.models.add(name=name, version=runner.entry.version, state="READY")
        return answer

    async def _statistics(self, request: Any, context: Any) -> Any:
        names = [request.name] if request.name else list(self._runners)
        answer = self._pb.ModelStatisticsResponse()
        for name in names:
            runner = await self._find(name, request.version, context)
            found, all_ = runner.statistics, answer.model_stats.add(name=name, version=runner.entry.version)
            all_.inference_count, all_.execution_count = found.inferences, found.executions
            good = found.successes
            durations = (
                (all_.inference_stats.success, good, found.total_seconds),
                (all_.inference_stats.fail, found.failures, 0.0),
                (all_.inference_stats.queue, good, found.queue_seconds),
                (all_.inference_stats.compute_infer, good, found.compute_seconds),
            )
            for duration, count, seconds in durations:
                duration.count, duration.ns = count, int(seconds * 1e9)
        return answer

    async def _infer(self, request: Any, context: Any) -> Any:
        runner = await self._find(request.model_name, request.model_version, context)
        try:
            with self._regions.used_by(request):
                return await self._answer(runner, request)
        except SharedMemoryError as error:
            return await context.abort(self._grpc.StatusCode[error.code], error.details)
        except RequestError as error:
            return await context.abort(self._grpc.StatusCode.INVALID_ARGUMENT, str(error.args[0]))
        except Exception as error:  # noqa: BLE001  # the model's failure is the request's
            first = (str(error).splitlines() or [type(error).__name__])[0]
            return await context.abort(self._grpc.StatusCode.INTERNAL, f"the model failed: {first}")

    async def _answer(self, runner: Runner, request: Any) -> Any:
        metadata = runner.entry.metadata
        wanted = [output.name for output in request.outputs]
        inputs = tensors_of(request, metadata, self._regions)
        check_inputs(metadata, inputs)
        check_names(metadata, wanted)
        check_batch(metadata, inputs, runner.entry.max_batch_size)
        outputs = await runner.infer(inputs)
        answer = self._pb.ModelInferResponse(
            model_name=runner.entry.name, model_version=runner.entry.version, id=request.id
        )
        locations = {output.name: location_of(output) for output in request.outputs}
        for name in wanted or outputs:
            array, location = outputs[name], locations.get(name)
            answer.outputs.add(name=name, datatype=protocol_type(array), shape=array.shape)
            answer.raw_output_contents.append(bytes(encode(array)) if location is None else b"")
            if location is not None:
                self._regions.write(location, name, encode(array))
        if self._latency:
            await asyncio.sleep(self._latency)
        return answer

    async def _register_region(self, request: Any, context: Any) -> Any:
        try:
            self._regions.register(request.name, request.key, request.offset, request.byte_size)
        except SharedMemoryError as error:
            return await context.abort(self._grpc.StatusCode[error.code], error.details)
        return self._pb.SystemSharedMemoryRegisterResponse()

    async def _unregister_region(self, request: Any, context: Any) -> Any:
        self._regions.unregister(request.name)
        return self._pb.SystemSharedMemoryUnregisterResponse()

    async def _region_status(self, request: Any, context: Any) -> Any:
        try:
            regions = self._regions.status(request.name)
        except SharedMemoryError as error:
            return await context.abort(self._grpc.StatusCode[error.code], error.details)
        answer = self._pb.SystemSharedMemoryStatusResponse()
        for region in regions:
            status = answer.regions[region.name]
            status.name, status.key, status.offset, status.byte_size = (
                region.name,
                region.key,
                region.offset,
                region.size,
            )
        return answer

    async def _find(self, name: str, version: str, context: Any) -> Runner:
        runner = self._runners.get(name)
        not_found = self._grpc.StatusCode.NOT_FOUND
        if runner is None:
            hint = nearest(name, self._runners)
            await context.abort(not_found, f"Request for unknown model: '{name}' is not found; {hint}")
            raise AssertionError("abort raises")
        if version not in ("", runner.entry.version):
            await context.abort(not_found, f"Request for unknown model: '{name}' version {version} is not found")
        return runner


@asynccontextmanager
async def serving(
    repository: Repository,
    *,
    port: int = 0,
    latency: float = 0.0,
    threads: int = 1,
    tls: ServerTLS | None = None,
    token: str = "",
) -> AsyncGenerator[int]:
    """Serve a repository on 127.0.0.1 and give the port; at the end requests in flight are finished first."""
    grpc = need_extra("grpc", "inference", "serving models")
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2), thread_name_prefix="model") as pool:
        runners = {entry.name: Runner(entry, pool, threads) for entry in repository.models}
        server = grpc.aio.server(options=OPTIONS, interceptors=interceptors(token))
        Service(runners, latency).register(server)
        try:
            if tls is None:
                bound: int = server.add_insecure_port(f"127.0.0.1:{port}")
            else:
                bound = server.add_secure_port(f"127.0.0.1:{port}", tls.credentials())
        except RuntimeError as error:
            what = f"port {port} cannot be used: is another server running there?"
            raise ConfigurationError(what, "serve") from error
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(runner.run()) for runner in runners.values()]
            await server.start()
            try:
                yield bound
            finally:
                await server.stop(grace=30)
                for task in tasks:
                    task.cancel()
