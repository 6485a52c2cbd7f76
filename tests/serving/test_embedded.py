"""The embedded server: batches, statistics, errors, its start and its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc.aio as tritonclient
from tritonclient.grpc import InferInput

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import make_repository

from eventbraid import ConfigurationError, ServerError
from eventbraid.inference import TritonClient
from eventbraid.serving import EmbeddedServer, Repository, parse_duration


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models."""
    return make_repository(tmp_path_factory.mktemp("models"))


@pytest.fixture
async def server(repository: Path) -> AsyncIterator[EmbeddedServer]:
    """A running server."""
    async with EmbeddedServer([repository]) as running:
        yield running


async def test_requests_at_once_are_executed_together_and_the_statistics_add_up(server: EmbeddedServer) -> None:
    client = TritonClient([server.address])
    await asyncio.gather(*(client.infer("sum", {"x": np.ones((2, 3), np.float32)}) for _ in range(16)))
    await client.aclose()
    async with tritonclient.InferenceServerClient(server.address) as theirs:
        (found,) = (await theirs.get_inference_statistics("sum", as_json=True))["model_stats"]
    assert int(found["inference_count"]) == 32
    assert 1 <= int(found["execution_count"]) <= 4
    assert int(found["inference_stats"]["success"]["count"]) == 16
    assert int(found["inference_stats"]["queue"]["ns"]) > 0


async def test_tritonclients_own_client_works_unchanged(server: EmbeddedServer) -> None:
    async with tritonclient.InferenceServerClient(server.address) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("sum")
        assert not await client.is_model_ready("other")
        assert (await client.get_model_metadata("sum")).inputs[0].shape == [-1, 3]
        assert (await client.get_model_config("sum")).config.max_batch_size == 64
        assert {model.name for model in (await client.get_model_repository_index()).models} == set(server.models)
        asked = InferInput("x", [2, 3], "FP32")
        asked.set_data_from_numpy(np.ones((2, 3), np.float32))
        answer = await client.infer("sum", [asked])
        assert answer.as_numpy("twice").tolist() == [[6], [6]]
        words = InferInput("words", [2], "BYTES")
        words.set_data_from_numpy(np.array(["jet", "met"], object))
        assert (await client.infer("text", [words])).as_numpy("same").tolist() == [b"jet", b"met"]


@pytest.mark.parametrize(
    ("model", "shape", "code", "text"),
    [
        ("other", [2, 3], "NOT_FOUND", "unknown model: 'other' is not found"),
        ("sum", [2, 4], "INVALID_ARGUMENT", "input 'x' is of shape [2,4], not [-1,3]"),
        ("sum", [65, 3], "INVALID_ARGUMENT", "batch size 65 is more than the model's 64"),
    ],
)
async def test_a_bad_request_gets_the_protocols_status_and_a_reason(
    server: EmbeddedServer, model: str, shape: list[int], code: str, text: str
) -> None:
    from tritonclient.utils import InferenceServerException

    asked = InferInput("x", shape, "FP32")
    asked.set_data_from_numpy(np.ones(shape, np.float32))
    async with tritonclient.InferenceServerClient(server.address) as client:
        with pytest.raises(InferenceServerException) as raised:
            await client.infer(model, [asked])
    assert raised.value.status() == f"StatusCode.{code}"
    assert text in raised.value.message()


async def test_contents_that_are_no_tensor_are_refused_and_the_server_stays_up(server: EmbeddedServer) -> None:
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    request = service_pb2.ModelInferRequest(model_name="sum", raw_input_contents=[b"123"])
    request.inputs.add(name="x", datatype="FP32", shape=[2, 3])
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for broken in (request, service_pb2.ModelInferRequest(model_name="sum", raw_input_contents=[b"1", b"2"])):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await stub.ModelInfer(broken)
            assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (await stub.ServerReady(service_pb2.ServerReadyRequest())).ready


async def test_latency_delays_answers_but_not_each_other(repository: Path) -> None:
    loop = asyncio.get_running_loop()
    async with EmbeddedServer([repository], latency=0.2) as server:
        client = TritonClient([server.address])
        await client.metadata("sum")
        start = loop.time()
        await asyncio.gather(*(client.infer("sum", {"x": np.ones((1, 3), np.float32)}) for _ in range(10)))
        took = loop.time() - start
        await client.aclose()
    assert 0.2 <= took < 1.0


async def test_a_stop_finishes_the_requests_in_flight(repository: Path) -> None:
    server = await EmbeddedServer([repository], latency=0.3).start()
    client = TritonClient([server.address])
    await client.metadata("sum")
    asked = asyncio.create_task(client.infer("sum", {"x": np.ones((1, 3), np.float32)}))
    statistics = 0
    async with tritonclient.InferenceServerClient(server.address) as theirs:
        while not statistics:
            found = await theirs.get_inference_statistics("sum", as_json=True)
            statistics = int(found["model_stats"][0].get("inference_count", 0))
    await server.stop()
    assert (await asked)["total"].tolist() == [[3]]
    await client.aclose()


async def test_a_port_in_use_is_an_error_with_the_servers_words(server: EmbeddedServer, repository: Path) -> None:
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(ServerError, match=r"(?s)did not start\n.*cannot be used"):
        await EmbeddedServer([repository], port=port).start()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_ends_when_its_parent_dies(repository: Path, number: signal.Signals) -> None:
    program = (
        "import asyncio, sys\n"
        "from eventbraid.serving import EmbeddedServer\n"
        "async def main():\n"
        f"    server = await EmbeddedServer([{str(repository)!r}]).start()\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    watch = os.pidfd_open(child)
    parent.send_signal(number)
    parent.wait()
    parent.stdout.close()
    import select

    ended, _, _ = select.select([watch], [], [], 20)
    os.close(watch)
    assert ended, "the server outlived its parent"


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({}, "holds no model (expected NAME/1/model.onnx)"),
        ({"m/config.pbtxt": ""}, "m: has no version"),
        ({"m/1/other": ""}, "m/1/model.onnx: is missing"),
        ({"m/1/model.onnx": "garbage"}, "m/1/model.onnx: cannot be loaded"),
        ({"m/1/model.onnx": "sum", "m/config.pbtxt": "max_batch_size: x"}, "config.pbtxt: cannot be read"),
        ({"m/1/model.onnx": "sum", "m/config.pbtxt": 'name: "n"'}, "names the model 'n', but its folder is 'm'"),
        (
            {"m/1/model.onnx": "sum", "m/config.pbtxt": 'input { name: "y" data_type: TYPE_FP32 dims: [-1, 3] }'},
            "input 'y' is not in the model, which has x FP32[-1,3]",
        ),
        (
            {"m/1/model.onnx": "sum", "m/config.pbtxt": 'input { name: "x" data_type: TYPE_INT64 dims: [-1, 4] }'},
            "input 'x' is TYPE_INT64, but the model has x FP32[-1,3]",
        ),
    ],
)
def test_every_fault_of_a_repository_is_told(
    repository: Path, tmp_path: Path, files: dict[str, str], text: str
) -> None:
    for name, content in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if content == "sum":
            file.write_bytes((repository / "sum/1/model.onnx").read_bytes())
        else:
            file.write_text(content)
    with pytest.raises(ConfigurationError) as raised:
        Repository.open([tmp_path])
    assert text in str(raised.value)


@pytest.mark.parametrize(("text", "seconds"), [("20ms", 0.02), ("1.5 s", 1.5), ("250us", 0.00025), ("0", 0.0)])
def test_durations_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "20", "ms", "-5ms", "5 minutes", "1e3ms"])
def test_a_bad_duration_says_what_is_expected(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a number with us, ms or s, as in 20ms"):
        parse_duration(text)
