"""Requests that make no sense: each is refused with a status and a reason, and the server answers the next one."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tritonclient.grpc import service_pb2 as pb

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from misbehaving import DECOUPLED, ECHO, channel, python_model, refusal, request, resident, stub
from networks import make_repository

from eventbraid.serving import EmbeddedServer

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG = 1 << 20
MANY = 10_000


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small networks, `waits` (until its FIFO `go` is written) and `endless` (answers without an end)."""
    folder = make_repository(tmp_path_factory.mktemp("bad") / "models")
    for name in ("begun", "go"):
        os.mkfifo(folder.parent / name)
    wait = f"open({str(folder.parent / 'begun')!r}, 'w').close()\nopen({str(folder.parent / 'go')!r}).close()"
    python_model(folder, "waits", f"{wait}\n{ECHO}")
    endless = """sender = requests[0].get_response_sender()
answer = pb_utils.InferenceResponse([pb_utils.Tensor("y", np.zeros(1, np.float32))])
while not requests[0].is_cancelled():
    sender.send(answer)
sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)"""
    return python_model(folder, "endless", endless, config=DECOUPLED)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(repository: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer([repository], most_memory=1 << 28) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: EmbeddedServer) -> AsyncIterator[Any]:
    """The calls of the protocol; what a test does must leave a server that answers."""
    async with channel(server.address) as connected:
        calls = stub(connected)
        yield calls
        assert (await calls.ModelInfer(request())).raw_output_contents == [bytes(4)]


@pytest.fixture
def region() -> Iterator[str]:
    """An object of 4096 bytes in shared memory."""
    file = Path("/dev/shm") / f"eventbraid-bad-{os.getpid()}"
    file.write_bytes(bytes(4096))
    yield file.name
    file.unlink()


def several(*names: str) -> Any:
    made = pb.ModelInferRequest(model_name="one", raw_input_contents=[bytes(4)] * len(names))
    for name in names:
        made.inputs.add(name=name, datatype="FP32", shape=[1])
    return made


def wanted(*names: str) -> Any:
    made = request()
    for name in names:
        made.outputs.add(name=name)
    return made


def word(data: bytes, shape: tuple[int, ...] = (1,)) -> Any:
    return request("text", shape, data, "BYTES", "words")


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        pytest.param(request("a/b"), "NOT_FOUND", "'a/b' is not found", id="a name with a slash"),
        pytest.param(request("../one"), "NOT_FOUND", "'../one' is not found", id="a path"),
        pytest.param(request(""), "NOT_FOUND", "'' is not found", id="no name"),
        pytest.param(request("a" * LONG), "NOT_FOUND", " ... ", id="a name of 1 MB"),
        pytest.param(request(model_version="7" * LONG), "NOT_FOUND", " ... ", id="a version of 1 MB"),
        pytest.param(request(name="x" * LONG), "INVALID_ARGUMENT", "there is no input", id="an input's name of 1 MB"),
        pytest.param(several(*map(str, range(MANY))), "INVALID_ARGUMENT", "there is no input '0'", id="10,000 inputs"),
        pytest.param(several("x", "x"), "INVALID_ARGUMENT", "'x' already exists in request", id="an input twice"),
        pytest.param(wanted(*map(str, range(MANY))), "INVALID_ARGUMENT", "no output '0'", id="10,000 outputs"),
        pytest.param(request(shape=(1,) * MANY), "INVALID_ARGUMENT", "contents of input 'x'", id="10,000 dimensions"),
        pytest.param(request(shape=(-1,)), "INVALID_ARGUMENT", "a size is negative", id="a negative size"),
        pytest.param(
            request(shape=(1 << 62,)), "INVALID_ARGUMENT", "are no FP32[4611686018427387904]", id="a huge size"
        ),
        pytest.param(
            request(shape=(1 << 32, 1 << 32)), "INVALID_ARGUMENT", "are no FP32[", id="a product beyond 64 bits"
        ),
        pytest.param(
            request(shape=(1 << 33, (1 << 31) + 1)),
            "INVALID_ARGUMENT",
            "are no FP32[",
            id="a product that wraps around",
        ),
        pytest.param(
            request(shape=(0, 1 << 62), data=b""), "INVALID_ARGUMENT", "are no FP32[", id="nothing of a huge size"
        ),
        pytest.param(request(datatype="FP31"), "INVALID_ARGUMENT", "are no FP31[1]", id="an unknown type"),
        pytest.param(word(b"\1\0"), "INVALID_ARGUMENT", "are no BYTES[1]", id="a length that is cut off"),
        pytest.param(word(struct.pack("<I", 9) + b"a"), "INVALID_ARGUMENT", "longer than", id="a word that is cut off"),
        pytest.param(word(b"\xff" * 4 + b"a"), "INVALID_ARGUMENT", "longer than", id="a word of 4 GB"),
        pytest.param(word(bytes(4 * MANY)), "INVALID_ARGUMENT", "are no BYTES[1]", id="too many words"),
        pytest.param(word(bytes(4), (1 << 40,)), "INVALID_ARGUMENT", "are no BYTES[", id="too few words"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(client: Any, asked: Any, code: str, text: str) -> None:
    given, said = await refusal(client.ModelInfer(asked))
    assert given == code
    assert text in said
    assert len(said) < 8000  # of 16 kB and more no client is told


@pytest.mark.parametrize("name", ["priority", "timeout"])
@pytest.mark.parametrize(
    ("kind", "value"), [("string_param", "high"), ("double_param", 1.5), ("bool_param", True), ("int64_param", -1)]
)
async def test_a_parameter_of_a_wrong_type_is_refused_as_by_triton(
    client: Any, name: str, kind: str, value: object
) -> None:
    asked = request()
    setattr(asked.parameters[name], kind, value)
    code, text = await refusal(client.ModelInfer(asked))
    assert code == "INVALID_ARGUMENT"
    assert text.startswith(f"invalid value type for '{name}' parameter, expected int64_param")


async def test_ids_of_a_megabyte_come_back_and_are_not_kept(server: EmbeddedServer, client: Any) -> None:
    identity = "i" * LONG
    assert (await client.ModelInfer(request(id=identity))).id == identity
    before = resident(server.pid)
    for number in range(60):
        await client.ModelInfer(request(id=f"{number}{identity}"))
    assert resident(server.pid) - before < 40 * LONG


@pytest.mark.parametrize("call", ["ModelInfer", "ModelMetadata", "ModelConfig", "RepositoryModelLoad"])
async def test_bytes_that_are_no_message_are_the_clients_fault(server: EmbeddedServer, call: str) -> None:
    async with channel(server.address) as connected:
        raw = connected.unary_unary(f"/inference.GRPCInferenceService/{call}")
        code, text = await refusal(raw(b"\xff" * 100))
    assert code == "INVALID_ARGUMENT"
    assert "the request cannot be read" in text


@pytest.mark.parametrize("name", ["", ".", "..", "../..", "/etc", "one/1", "one/../one", "a\0b", "*", "a" * LONG])
async def test_odd_names_are_neither_loaded_nor_unloaded(client: Any, name: str) -> None:
    _, text = await refusal(client.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=name)))
    assert text.startswith(f"failed to load '{name[:100]}")
    await client.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name=name))
    assert (await client.ModelReady(pb.ModelReadyRequest(name="one"))).ready


async def test_a_model_that_is_broken_now_is_not_loaded_and_the_old_one_serves_on(
    client: Any, repository: Path
) -> None:
    file = repository / "sum" / "1" / "model.onnx"
    network = file.read_bytes()
    file.write_bytes(network[:100])
    code, text = await refusal(client.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="sum")))
    file.write_bytes(network)
    assert code == "INVALID_ARGUMENT"
    assert f"{file}: cannot be loaded" in text
    asked = request("sum", (1, 3), struct.pack("<3f", 1, 2, 3))
    assert struct.pack("<f", 6) in (await client.ModelInfer(asked)).raw_output_contents


async def test_requests_in_flight_are_answered_when_their_model_is_unloaded(client: Any, repository: Path) -> None:
    asked = asyncio.ensure_future(client.ModelInfer(request("waits")))
    await asyncio.to_thread((repository.parent / "begun").read_bytes)  # it is being executed
    await client.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name="waits"))
    assert (await refusal(client.ModelInfer(request("waits"))))[0] == "NOT_FOUND"
    assert (await refusal(client.ModelStatistics(pb.ModelStatisticsRequest(name="waits"))))[0] == "INVALID_ARGUMENT"
    await asyncio.to_thread((repository.parent / "go").write_bytes, b"")
    assert (await asked).raw_output_contents == [bytes(4)]
    await client.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="waits"))


async def test_a_stream_that_is_cancelled_in_the_middle_ends_its_execution(client: Any) -> None:
    for _ in range(2):  # the second one is executed once the first has ended
        stream = client.ModelStreamInfer(iter([request("endless")]))
        async with asyncio.timeout(30):
            answer = await stream.read()
        assert not answer.error_message
        stream.cancel()


@pytest.mark.parametrize(
    ("key", "offset", "size"),
    [
        ("", 0, 8),
        ("..", 0, 8),
        ("../etc/passwd", 0, 8),
        ("a\0b", 0, 8),
        ("k" * LONG, 0, 8),
        ("REGION", 0, 0),
        ("REGION", 8, 0),
        ("REGION", 4096, 1),
        ("REGION", 4000, 97),
        ("REGION", 0, (1 << 63) + 1),
        ("REGION", (1 << 64) - 1, 2),
    ],
)
async def test_a_region_that_is_not_there_is_not_registered(
    client: Any, region: str, key: str, offset: int, size: int
) -> None:
    key = key.replace("REGION", region)
    asked = pb.SystemSharedMemoryRegisterRequest(name="r", key=key, offset=offset, byte_size=size)
    code, text = await refusal(client.SystemSharedMemoryRegister(asked))
    assert (code, text[:6]) in (("INTERNAL", "Unable"), ("INVALID_ARGUMENT", "failed"))
    assert not (await client.SystemSharedMemoryStatus(pb.SystemSharedMemoryStatusRequest())).regions


@pytest.mark.parametrize(
    ("offset", "size", "text"),
    [
        (-4, 4, "Invalid offset for shared memory region"),
        (2000, 4, "Invalid offset for shared memory region"),
        ((1 << 63) - 1, 4, "Invalid offset for shared memory region"),
        (0, -4, "Invalid offset + byte size for shared memory region"),
        (1998, 4, "Invalid offset + byte size for shared memory region"),
        (0, 1 << 62, "Invalid offset + byte size for shared memory region"),
    ],
)
async def test_a_place_outside_of_its_region_is_refused(
    client: Any, region: str, offset: int, size: int, text: str
) -> None:
    asked = pb.SystemSharedMemoryRegisterRequest(name="r", key=region, offset=96, byte_size=2000)
    await client.SystemSharedMemoryRegister(asked)
    for at, placed in enumerate((placed_in("r", offset, size), placed_out("r", offset, size))):
        code, said = await refusal(client.ModelInfer(placed))
        assert code in (("INVALID_ARGUMENT",), ("INVALID_ARGUMENT", "INTERNAL"))[at]  # too small: told otherwise
        assert text in said or (at and size < 0)
    await client.SystemSharedMemoryUnregister(pb.SystemSharedMemoryUnregisterRequest())


async def test_a_region_that_its_owner_cuts_off_is_refused_and_not_touched(client: Any, region: str) -> None:
    asked = pb.SystemSharedMemoryRegisterRequest(name="r", key=region, byte_size=4096)
    await client.SystemSharedMemoryRegister(asked)
    os.truncate(Path("/dev/shm") / region, 0)
    for placed in (placed_in("r", 0, 4), placed_out("r", 0, 4)):
        code, text = await refusal(client.ModelInfer(placed))
        assert (code, text) == ("INVALID_ARGUMENT", "shared memory region 'r' has been cut off by its owner")
    await client.SystemSharedMemoryUnregister(pb.SystemSharedMemoryUnregisterRequest())


def placed_in(region: str, offset: int, size: int) -> Any:
    """A request whose input is in shared memory."""
    made = pb.ModelInferRequest(model_name="one")
    _place(made.inputs.add(name="x", datatype="FP32", shape=[1]), region, offset, size)
    return made


def placed_out(region: str, offset: int, size: int) -> Any:
    """One whose output is to be there."""
    made = request()
    _place(made.outputs.add(name="y"), region, offset, size)
    return made


def _place(tensor: Any, region: str, offset: int, size: int) -> None:
    tensor.parameters["shared_memory_region"].string_param = region
    tensor.parameters["shared_memory_offset"].int64_param = offset
    tensor.parameters["shared_memory_byte_size"].int64_param = size
