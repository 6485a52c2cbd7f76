"""Networks in the real Triton: joined requests, their errors, and emulated GPUs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import grpc
import numpy as np
import pytest
from onnx import TensorProto, helper
from tritonclient.grpc import service_pb2, service_pb2_grpc

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import make_repository, tensor, write
from real_triton import require_triton, triton

from eventbraid import ServerError
from eventbraid.inference import TritonClient
from eventbraid.serving import TritonServer

pytestmark = pytest.mark.triton

HELD = "max_batch_size: 64\ndynamic_batching { max_queue_delay_microseconds: 200000 preferred_batch_size: 8 }\n"


def repository_of(folder: Path) -> Path:
    """The usual small models, and: `words` (rows of text, batching), `picks` (of each row the number at a place; a
    place that is not there fails), `doubles` (in Python)."""
    make_repository(folder)
    rows = [tensor("words", TensorProto.STRING, "n", 1)]
    same = [tensor("same", TensorProto.STRING, "n", 1)]
    write(
        folder,
        "words",
        [helper.make_node("Identity", ["words"], ["same"])],
        rows,
        same,
        HELD,
    )
    write(
        folder,
        "picks",
        [helper.make_node("GatherElements", ["x", "place"], ["y"], axis=1)],
        [tensor("x", TensorProto.FLOAT, "n", 3), tensor("place", TensorProto.INT64, "n", 1)],
        [tensor("y", TensorProto.FLOAT, "n", 1)],
        HELD,
    )
    version = folder / "doubles/1"
    version.mkdir(parents=True)
    (version / "helping.py").write_text("def twice(x):\n    return x + x\n")
    (version / "model.py").write_text(DOUBLES)
    (folder / "doubles/config.pbtxt").write_text(
        'max_batch_size: 64\ninput { name: "x" data_type: TYPE_FP32 dims: 3 }\n'
        'output { name: "y" data_type: TYPE_FP32 dims: 3 }\n'
    )
    return folder


DOUBLES = """
import triton_python_backend_utils as triton
from .helping import twice
class TritonPythonModel:
    def execute(self, requests):
        inputs = [triton.get_input_tensor_by_name(each, "x").as_numpy() for each in requests]
        return [triton.InferenceResponse([triton.Tensor("y", twice(each))]) for each in inputs]
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models."""
    require_triton()
    return repository_of(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def address(models: Path) -> Iterator[str]:
    """A Triton without a device."""
    with triton(models) as running:
        yield running


async def executions(address: str, model: str) -> tuple[int, int]:
    """Rows and executions that Triton has counted."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        (found,) = (await stub.ModelStatistics(service_pb2.ModelStatisticsRequest(name=model))).model_stats
        return found.inference_count, found.execution_count


async def test_requests_that_are_joined_each_get_their_own_rows(address: str) -> None:
    before = await executions(address, "picks")
    client = TritonClient([address])
    x = np.arange(24, dtype=np.float32).reshape(8, 3)
    asked = [
        client.infer("picks", {"x": x[n : n + size], "place": np.full((size, 1), 1)}) for n, size in ((0, 3), (3, 5))
    ]
    answers = await asyncio.gather(*asked)
    assert [answer["y"].ravel().tolist() for answer in answers] == [x[:3, 1].tolist(), x[3:, 1].tolist()]
    after = await executions(address, "picks")
    assert (after[0] - before[0], after[1] - before[1]) == (8, 1)
    await client.aclose()


async def test_texts_that_are_joined_each_get_their_own_rows(address: str) -> None:
    client = TritonClient([address])
    texts = [np.array([["one"], ["two"]], object), np.array([["zwölf"]] * 6, object)]
    answers = await asyncio.gather(*(client.infer("words", {"words": each}) for each in texts))
    assert [answer["same"].ravel().tolist() for answer in answers] == [
        [b"one", b"two"],
        ["zwölf".encode()] * 6,
    ]
    await client.aclose()


async def test_a_request_that_fails_does_not_harm_those_that_it_is_joined_with(address: str) -> None:
    client = TritonClient([address])
    x = np.ones((4, 3), np.float32)
    good, bad = await asyncio.gather(
        client.infer("picks", {"x": x, "place": np.full((4, 1), 2)}),
        client.infer("picks", {"x": x, "place": np.full((4, 1), 7)}),
        return_exceptions=True,
    )
    assert isinstance(good, dict)
    assert good["y"].tolist() == [[1.0]] * 4
    assert isinstance(bad, ServerError)
    assert "the model failed" in str(bad)
    await client.aclose()


async def test_requests_for_different_outputs_are_joined_and_get_what_they_want(address: str) -> None:
    client = TritonClient([address])
    x = np.ones((4, 3), np.float32)
    answers = await asyncio.gather(
        client.infer("sum", {"x": x}, outputs=["twice"]), client.infer("sum", {"x": x}, outputs=["total"])
    )
    assert [{name: array.tolist() for name, array in answer.items()} for answer in answers] == [
        {"twice": [[6.0]] * 4},
        {"total": [[3.0]] * 4},
    ]
    await client.aclose()


async def test_an_emulated_gpu_pays_t0_once_for_a_batch_and_answers_as_the_network_does(models: Path) -> None:
    async with TritonServer([models], device="emulated:t0=300ms,per_row=10ms") as server:
        client = TritonClient([server.address])
        await client.metadata("picks")
        x, start = np.arange(24, dtype=np.float32).reshape(8, 3), perf_counter()
        asked = [client.infer("picks", {"x": x[n : n + 4], "place": np.zeros((4, 1), np.int64)}) for n in (0, 4)]
        answers = await asyncio.gather(*asked)
        took = perf_counter() - start
        assert [answer["y"].ravel().tolist() for answer in answers] == [x[:4, 0].tolist(), x[4:, 0].tolist()]
        assert await executions(server.address, "picks") == (8, 1)
        assert 0.38 <= took < 0.68  # which two batches would take
        await client.aclose()


async def test_a_model_in_python_takes_the_time_of_an_emulated_gpu(models: Path) -> None:
    async with TritonServer([models], device="emulated:t0=300ms,per_row=20ms") as server:
        client = TritonClient([server.address])
        await client.metadata("doubles")
        start = perf_counter()
        answer = await client.infer("doubles", {"x": np.ones((5, 3), np.float32)})
        assert perf_counter() - start >= 0.4
        assert answer["y"].tolist() == [[2.0] * 3] * 5
        await client.aclose()


async def test_emulated_gpus_work_side_by_side_and_each_on_one_batch_after_the_other(models: Path) -> None:
    async with TritonServer([models], device="emulated:gpus=2,t0=250ms,per_row=0,answers=zeros") as server:
        client = TritonClient([server.address])
        await client.metadata("one")
        await client.metadata("text")
        start = perf_counter()
        answers = await asyncio.gather(
            *(client.infer("one", {"x": np.ones(3, np.float32)}) for _ in range(4)),
            *(client.infer("text", {"words": np.array(["a", "b"], object)}) for _ in range(4)),
        )
        assert 0.99 <= perf_counter() - start < 2  # 8 batches on 2 GPUs, whatever their models
        assert [answer["y"].tolist() for answer in answers[:4]] == [[0.0]] * 4
        assert [answer["same"].tolist() for answer in answers[4:]] == [[b""]] * 4
        await client.aclose()


async def test_a_network_that_is_slower_than_its_gpu_is_said_in_the_log(models: Path) -> None:
    async with TritonServer([models], device="emulated:t0=1us,per_row=0") as server:
        client = TritonClient([server.address])
        for _ in range(5):
            await client.infer("one", {"x": np.ones(3, np.float32)})
        await client.aclose()
    assert server.log.count("longer than the 0.001 ms that are emulated") == 1
