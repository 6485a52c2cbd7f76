"""The launcher of the real Triton: its start, its ends, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import os
import platform
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
from networks import make_repository
from real_triton import require_triton

from eventbraid import ConfigurationError, ServerError
from eventbraid.inference import TritonClient
from eventbraid.serving import ServerTLS, TritonServer
from eventbraid.serving.triton.environment import triton_environment
from eventbraid.serving.triton.server import free_port

ROWS = np.ones((2, 3), np.float32)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small models."""
    require_triton()
    return make_repository(tmp_path_factory.mktemp("models"))


@pytest.fixture
async def server(repository: Path) -> AsyncIterator[TritonServer]:
    """A running server."""
    async with TritonServer([repository]) as running:
        yield running


async def total(server: TritonServer) -> float:
    client = TritonClient([server.address])
    try:
        return float((await client.infer("sum", {"x": ROWS}))["total"].sum())
    finally:
        await client.aclose()


def regions(server: TritonServer) -> list[Path]:
    assert server._folder is not None
    return list(Path("/dev/shm").glob(f"{server._folder.name}*"))


@pytest.mark.triton
async def test_a_server_that_was_killed_starts_again_on_its_port(server: TritonServer) -> None:
    address = server.address
    assert regions(server)
    await server.kill()
    assert server.pid is None
    assert not regions(server)
    await server.start()
    assert server.address == address
    assert await total(server) == 6


@pytest.mark.triton
async def test_nothing_is_left_of_a_server_that_was_stopped_but_its_last_words(repository: Path) -> None:
    async with TritonServer([repository]) as server:
        folder = server._folder
    assert folder is not None
    assert not folder.exists()
    assert "in-flight" in server.log
    assert repr(server).startswith("TritonServer(not running")


@pytest.mark.triton
async def test_a_server_that_drains_finishes_its_requests(server: TritonServer) -> None:
    client = TritonClient([server.address])
    await client.metadata("sum")
    asked = [asyncio.create_task(client.infer("sum", {"x": ROWS})) for _ in range(20)]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    await server.terminate()
    assert [float(answer["total"].sum()) for answer in await asyncio.gather(*asked)] == [6] * 20
    await client.aclose()


@pytest.mark.triton
async def test_a_frozen_server_goes_on_when_it_is_thawed(server: TritonServer) -> None:
    server.freeze()
    asked = asyncio.create_task(total(server))
    server.thaw()
    assert await asked == 6


@pytest.mark.triton
async def test_a_frozen_server_can_be_stopped(repository: Path) -> None:
    server = await TritonServer([repository]).start()
    server.freeze()
    await server.stop()
    assert server.pid is None


@pytest.mark.triton
async def test_a_server_is_started_once(server: TritonServer) -> None:
    with pytest.raises(ServerError, match="this server is running"):
        await server.start()


@pytest.mark.triton
async def test_a_server_that_does_not_start_says_why_and_leaves_nothing(repository: Path) -> None:
    server = TritonServer([repository], options=["--no-such-option"])
    with pytest.raises(ServerError, match=r"(?s)did not start\n.*unrecognized option '--no-such-option'"):
        await server.start()
    assert server.pid is None
    assert server._folder is None


@pytest.mark.triton
async def test_a_port_in_use_is_told_before_the_start(server: TritonServer, repository: Path) -> None:
    port = server.ports["grpc"]
    with pytest.raises(ConfigurationError, match=f"grpc port {port}: cannot be used: is another server running there"):
        await TritonServer([repository], port=port).start()


@pytest.mark.triton
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_server_and_its_files_are_gone_when_its_parent_dies(repository: Path, number: signal.Signals) -> None:
    program = (
        "import asyncio\n"
        "from eventbraid.serving import TritonServer\n"
        "async def main():\n"
        f"    server = await TritonServer([{str(repository)!r}]).start()\n"
        "    print(server._keeper.pid, server._folder, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    keeper, folder = parent.stdout.readline().split()
    watch = os.pidfd_open(int(keeper))
    parent.send_signal(number)
    parent.wait()
    parent.stdout.close()
    ended, _, _ = select.select([watch], [], [], 30)
    os.close(watch)
    assert ended, "the server outlived its parent"
    assert not Path(folder).exists()
    assert not list(Path("/dev/shm").glob(f"{Path(folder).name}*"))


def certificate(folder: Path, name: str, authority: str = "") -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, signed by an authority made before, or by itself."""
    made, key = folder / f"{name}.pem", folder / f"{name}.key"
    signed = ["-CA", f"{folder / authority}.pem", "-CAkey", f"{folder / authority}.key"] if authority else []
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    command += ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", *signed]
    subprocess.run([*command, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True)
    return made, key


async def ready(address: str, **credentials: bytes) -> bool:
    options = [("grpc.initial_reconnect_backoff_ms", 100)]
    known = grpc.ssl_channel_credentials(**credentials)
    async with grpc.aio.secure_channel(address, known, options=options) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        return bool((await stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=10)).ready)


@pytest.mark.triton
async def test_a_server_with_a_certificate_serves_who_trusts_it(repository: Path, tmp_path: Path) -> None:
    own, key = certificate(tmp_path, "server")
    async with TritonServer([repository], tls=ServerTLS(own, key)) as server:
        assert await ready(server.address, root_certificates=own.read_bytes())


@pytest.mark.triton
async def test_a_server_that_asks_for_certificates_serves_only_who_has_one(repository: Path, tmp_path: Path) -> None:
    authority, _ = certificate(tmp_path, "authority")
    own, key = certificate(tmp_path, "server", "authority")
    theirs, their_key = certificate(tmp_path, "client", "authority")
    root = authority.read_bytes()
    async with TritonServer([repository], tls=ServerTLS(own, key, clients=authority)) as server:
        assert await ready(
            server.address,
            root_certificates=root,
            certificate_chain=theirs.read_bytes(),
            private_key=their_key.read_bytes(),
        )
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await ready(server.address, root_certificates=root)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_platform_without_the_wheel_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(ConfigurationError, match="no wheel of the Triton server for this platform"):
        triton_environment()


def test_a_free_port_is_none_that_a_client_may_get() -> None:
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert 20_000 <= free_port() < low
