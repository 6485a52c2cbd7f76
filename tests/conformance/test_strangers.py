"""Our client with servers that we did not write, and a client that we did not write with our server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from foreign import environment, running
from gates import PATIENCE
from repository import write_sums

from eventbraid.errors import RequestError
from eventbraid.inference import TritonClient
from eventbraid.kserve import TensorSpec
from eventbraid.serving import EmbeddedServer
from eventbraid.serving.triton.server import free_port

pytestmark = pytest.mark.slow
SOURCES = Path(__file__).parent / "strangers"


def listens(address: str) -> bool:
    """Wait a second at most for a server."""
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(1)
        except grpc.FutureTimeoutError:
            return False
    return True


@contextmanager
def mlserver(folder: Path) -> Iterator[str]:
    """The address of mlserver with the model `double`."""
    ports = {name: free_port() for name in ("http_port", "grpc_port", "metrics_port")}
    (folder / "settings.json").write_text(json.dumps({"host": "127.0.0.1", "parallel_workers": 0, **ports}))
    (folder / "double").mkdir()
    shutil.copy(SOURCES / "mlserver_runtime.py", folder / "double")
    tensors = {"datatype": "FP32", "shape": [-1, 3]}
    model = {"name": "double", "implementation": "mlserver_runtime.Double", "platform": "python"}
    tensors_of = {"inputs": [{"name": "x", **tensors}], "outputs": [{"name": "y", **tensors}]}
    (folder / "double/model-settings.json").write_text(json.dumps({**model, **tensors_of}))
    command = [environment("mlserver==1.7.1") / "bin/mlserver", "start", "."]
    address = f"127.0.0.1:{ports['grpc_port']}"
    with running(command, folder, folder / "log", lambda: listens(address)):
        yield address


@contextmanager
def kserve(folder: Path) -> Iterator[str]:
    """The address of kserve with the model `double`."""
    port = free_port()
    command = [environment("kserve==0.21") / "bin/python", SOURCES / "kserve_server.py", f"{port}"]
    with running(command, folder, folder / "log", lambda: listens(f"127.0.0.1:{port}")):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module", params=[mlserver, kserve])
def stranger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of each server in turn."""
    with request.param(tmp_path_factory.mktemp("stranger")) as address:
        yield address


@pytest.fixture
async def client(stranger: str) -> AsyncIterator[TritonClient]:
    """Our client."""
    made = TritonClient([stranger])
    async with asyncio.timeout(PATIENCE):  # a port listens before its models are there
        while not await has_model(made):
            pass
    yield made
    await made.aclose()


async def has_model(client: TritonClient) -> bool:
    try:
        await client.metadata("double")
    except RequestError:
        return False
    return True


async def test_our_client_reads_what_the_model_takes(client: TritonClient) -> None:
    found = await client.metadata("double")
    assert found.inputs == (TensorSpec("x", "FP32", (-1, 3)),)
    assert found.outputs == (TensorSpec("y", "FP32", (-1, 3)),)


async def test_our_client_is_answered(client: TritonClient) -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal((await client.infer("double", {"x": rows}))["y"], rows * 2)


async def test_our_client_gets_large_tensors_back(client: TritonClient) -> None:
    rows = np.arange(600_000, dtype=np.float32).reshape(-1, 3)
    np.testing.assert_array_equal((await client.infer("double", {"x": rows}))["y"], rows * 2)


async def test_each_of_many_requests_at_once_gets_its_own_answer(client: TritonClient) -> None:
    asked = [client.infer("double", {"x": np.full((1, 3), n, np.float32)}) for n in range(50)]
    assert [answer["y"].tolist() for answer in await asyncio.gather(*asked)] == [[[2 * n] * 3] for n in range(50)]


async def test_a_model_that_is_not_there_is_the_requests_fault(client: TritonClient) -> None:
    with pytest.raises(RequestError, match="there is no model 'nope'"):
        await client.infer("nope", {"x": np.ones((1, 3), np.float32)})


async def test_a_tensor_that_does_not_fit_is_the_requests_fault(client: TritonClient) -> None:
    with pytest.raises(RequestError, match=r"input 'x' is of shape \[1,4\], not \[-1,3\]"):
        await client.infer("double", {"x": np.ones((1, 4), np.float32)})


async def test_a_server_that_tells_no_configuration_does_without(client: TritonClient) -> None:
    await client.metadata("double")
    assert [*client.configs("double").values()] == [None]


@pytest.mark.skipif("COFFEA" not in os.environ, reason="coffea takes 1.1 GB: set COFFEA=1 to install it")
@pytest.mark.parametrize("model", ["sum", "joined"])
async def test_coffeas_wrapper_is_answered_by_the_embedded_server(tmp_path: Path, model: str) -> None:
    write_sums(tmp_path)
    folder = await asyncio.to_thread(environment, "coffea==2026.9.0", "tritonclient[grpc,http]")
    async with EmbeddedServer([tmp_path]) as server:
        command = [str(folder / "bin/python"), str(SOURCES / "coffea_client.py"), server.address, model]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[9 * n + 3] for n in range(20)]
