"""The embedded server: batches, statistics, errors, its start and its end."""

from __future__ import annotations

import asyncio
import contextlib
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
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from tritonclient.grpc import InferInput

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import make_repository, tensor, write

from eventbraid import ConfigurationError, ServerError
from eventbraid.durations import parse_duration
from eventbraid.inference import LocalClient, TritonClient
from eventbraid.serving import EmbeddedServer, Repository


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


async def test_typed_contents_and_shapes_that_do_not_fit_are_the_requests_fault(server: EmbeddedServer) -> None:
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    negative = service_pb2.ModelInferRequest(model_name="sum", raw_input_contents=[bytes(24)])
    negative.inputs.add(name="x", datatype="FP32", shape=[-1, 3])
    large = service_pb2.ModelInferRequest(model_name="types")
    large.inputs.add(name="in_INT8", datatype="INT8", shape=[1, 1]).contents.int_contents.append(300)
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for request, text in ((negative, "a size is negative"), (large, "300 out of bounds")):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await stub.ModelInfer(request)
            assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert text in (raised.value.details() or "")


async def test_typed_contents_are_taken_as_raw_ones_are(server: EmbeddedServer) -> None:
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    request = service_pb2.ModelInferRequest(model_name="sum")
    request.inputs.add(name="x", datatype="FP32", shape=[1, 3]).contents.fp32_contents.extend([1, 2, 3])
    async with grpc.aio.insecure_channel(server.address) as channel:
        answer = await service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
    assert np.frombuffer(answer.raw_output_contents[0], np.float32).tolist() == [6]


async def test_rows_never_go_to_another_request_where_a_model_mixes_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        "unique",
        [helper.make_node("Unique", ["x"], ["y"], axis=0)],
        [tensor("x", TensorProto.FLOAT, "n", 1)],
        [tensor("y", TensorProto.FLOAT, "k", 1)],
        "max_batch_size: 64\ndynamic_batching { max_queue_delay_microseconds: 50000 }\n",
    )
    async with EmbeddedServer([tmp_path]) as server:
        client = TritonClient([server.address])
        for count in (1, 2):
            asked = [client.infer("unique", {"x": np.full((3, 1), n, np.float32)}) for n in range(count)]
            for answer in await asyncio.gather(*asked, return_exceptions=True):
                assert "needs max_batch_size 0" in str(answer)
        await client.aclose()


async def test_a_single_number_goes_and_comes_back(tmp_path: Path) -> None:
    number = TensorProto.FLOAT
    write(
        tmp_path,
        "number",
        [helper.make_node("Identity", ["x"], ["y"])],
        [tensor("x", number)],
        [tensor("y", number)],
    )
    async with EmbeddedServer([tmp_path]) as server:
        remote = TritonClient([server.address])
        local = LocalClient([tmp_path])
        for client in (remote, local):
            answer = await client.infer("number", {"x": np.array(3, np.float32)})
            assert answer["y"].shape == ()
            assert answer["y"] == 3
            await client.aclose()


async def test_successes_and_failures_are_counted_apart(server: EmbeddedServer) -> None:
    client = TritonClient([server.address])
    for failing in (False, True):
        shape = np.array([2, 2]) if failing else np.array([1, 3])
        with contextlib.suppress(ServerError):
            await client.infer("fails", {"x": np.zeros(3, np.float32), "shape": shape})
    await client.aclose()
    async with tritonclient.InferenceServerClient(server.address) as theirs:
        (found,) = (await theirs.get_inference_statistics("fails")).model_stats
    assert (found.inference_stats.success.count, found.inference_stats.fail.count) == (1, 1)


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


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("print('hello', flush=True)\nsys.stdin.read()", "hello"),
        ("print('no room left', file=sys.stderr)", "no room left"),
    ],
)
async def test_a_server_that_says_something_else_is_an_error_and_is_ended(
    repository: Path, program: str, text: str
) -> None:
    server = EmbeddedServer([repository])
    server._command = [sys.executable, "-c", f"import sys\n{program}"]
    with pytest.raises(ServerError, match=rf"(?s)did not start\n.*{text}"):
        async with server:
            pass
    assert server.pid is None


async def test_the_log_of_a_server_keeps_its_last_lines_however_long(repository: Path) -> None:
    server = EmbeddedServer([repository])
    ready = 'print(\'{"port": 1, "metrics_port": 0, "models": []}\', flush=True)'
    server._command = [sys.executable, "-c", f"import sys\nsys.stderr.write('x' * 300_000 + '\\nlast')\n{ready}"]
    await server.start()
    await server.stop()
    assert server.log.endswith("x\nlast")
    assert len(server.log) < 100_000


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
        ({"m/1/model.onnx": "sum", "m/config.pbtxt": "max_batch_size: x"}, "config.pbtxt:1:17: cannot be read"),
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


def test_a_folder_given_twice_is_one(repository: Path) -> None:
    twice = Repository.open([repository, repository.parent / "." / repository.name / ".." / repository.name])
    once = Repository.open([repository])
    assert [model.name for model in twice.models] == [model.name for model in once.models]


@given(st.integers(0, 10**6), st.sampled_from([("us", 1e-6), ("ms", 1e-3), ("s", 1.0)]), st.sampled_from(["", " "]))
def test_a_number_with_its_unit_is_a_duration(value: int, unit: tuple[str, float], space: str) -> None:
    assert parse_duration(f"{value}{space}{unit[0]}") == pytest.approx(value * unit[1])


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_is_refused_with_a_reason(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except ConfigurationError as error:
        assert "expected a number with ns, us, ms, s, min or h" in str(error)


@pytest.mark.parametrize(("text", "seconds"), [("20ms", 0.02), ("1.5 s", 1.5), ("250us", 0.00025), ("0", 0.0)])
def test_durations_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "20", "ms", "-5ms", "5 minutes", "1e3ms"])
def test_a_bad_duration_says_what_is_expected(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a number with ns, us, ms, s, min or h, as in 20ms"):
        parse_duration(text)
