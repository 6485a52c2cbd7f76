"""What is wrong when a server starts, and models that do not come back: it says so, and it ends."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from misbehaving import ECHO, channel, python_model, refusal, request, stub

from eventbraid import ConfigurationError, ServerError
from eventbraid.serving import EmbeddedServer
from eventbraid.serving.guarding import ServerTLS

FOREVER = "threading.Event().wait()"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A repository with a model that answers what it is asked."""
    return python_model(tmp_path / "good", "m", ECHO)


async def said(server: EmbeddedServer) -> str:
    """The words of a server that does not start."""
    with pytest.raises(ServerError, match="did not start") as raised:
        await server.start()
    assert server.pid is None
    return str(raised.value)


@pytest.mark.parametrize("which", ["port", "metrics_port"])
async def test_a_port_in_use_is_named(good: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = await said(EmbeddedServer([good], **{which: port}))
    assert f"port {port} cannot be used" in words
    assert "Traceback" not in words


@pytest.mark.parametrize("which", ["port", "metrics_port"])
@pytest.mark.parametrize("port", [-1, 65536, 80_000])
async def test_a_port_that_is_none_is_refused_and_not_taken_for_another(good: Path, which: str, port: int) -> None:
    words = await said(EmbeddedServer([good], **{which: port}))
    assert f"{which.replace('_', ' ')} {port} is none (expected 0 to 65535)" in words


@pytest.mark.skipif(
    os.geteuid() == 0 or sys.platform != "linux", reason="this user may have every port, as it is the superuser"
)
@pytest.mark.parametrize("which", ["port", "metrics_port"])
async def test_a_port_without_permission_is_named(good: Path, which: str) -> None:
    assert "port 1 cannot be used" in await said(EmbeddedServer([good], **{which: 1}))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"threads": 0}, "threads is 0 (expected 1 or more)"),
        ({"most_memory": 0}, "most_memory is 0 (expected 1 or more)"),
        ({"grace": -1}, "grace is -1.0 (expected 0 or more)"),
        ({"token": "a b"}, "has characters that cannot be sent"),
        ({"tls": ServerTLS("/nowhere.pem", "/nowhere.pem")}, "certificate '/nowhere.pem' cannot be read"),
        ({"tls": ServerTLS(__file__, __file__)}, f"certificate {__file__!r} holds no certificate in PEM"),
    ],
)
async def test_an_option_that_makes_no_sense_is_told_without_a_traceback(
    good: Path, options: dict[str, object], text: str
) -> None:
    words = await said(EmbeddedServer([good], **options))  # type: ignore[arg-type]
    assert text in words
    assert "Traceback" not in words


@pytest.mark.parametrize("text", ["gpu", "emulated:gpus=0", "emulated:t0=soon", "emulated:colour=red"])
def test_a_wrong_device_is_the_callers_error(good: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="device"):
        EmbeddedServer([good], device=text)


async def test_a_folder_without_models_and_one_that_is_none_are_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"{empty}: holds no model" in await said(EmbeddedServer([empty]))
    assert f"{file}: is no folder with models" in await said(EmbeddedServer([file]))
    assert f"{tmp_path / 'away'}: is no folder with models" in await said(EmbeddedServer([tmp_path / "away"]))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("raise ValueError('no weights')", "initialize failed: ValueError: no weights"),
        ("sys.exit(3)", "initialize failed: SystemExit: 3"),
        ("os._exit(3)", "it ended with status 3, and said nothing"),
    ],
)
async def test_a_model_that_cannot_be_initialized_is_told_with_its_reason(tmp_path: Path, body: str, text: str) -> None:
    repository = python_model(tmp_path, "m", ECHO, f"def initialize(self, arguments):\n    {body}")
    words = await said(EmbeddedServer([repository]))
    assert text in words
    assert "Traceback" not in words


async def test_a_server_whose_model_never_gets_ready_ends_at_once_when_it_is_stopped(tmp_path: Path) -> None:
    body = f"def initialize(self, arguments):\n    open({str(tmp_path / 'started')!r}, 'w').close()\n    {FOREVER}"
    os.mkfifo(tmp_path / "started")
    server = EmbeddedServer([python_model(tmp_path / "models", "m", ECHO, body)], grace=20)
    starting = asyncio.create_task(server.start())
    await asyncio.to_thread((tmp_path / "started").read_bytes)
    process = server._process
    assert process is not None
    process.terminate()
    async with asyncio.timeout(10):
        assert await process.wait() == 0
    with pytest.raises(ServerError, match="did not start"):
        await starting


async def test_a_model_that_ends_the_process_is_told_in_the_servers_log(tmp_path: Path) -> None:
    async with EmbeddedServer([python_model(tmp_path, "m", "os._exit(7)")]) as server:
        async with channel(server.address) as connected:
            assert (await refusal(stub(connected).ModelInfer(request("m"))))[0] == "UNAVAILABLE"
        assert server._reading is not None
        await server._reading
        assert "the embedded server ended by itself, with status 7" in server.log


async def test_a_model_that_calls_exit_fails_its_request_and_serves_the_next(tmp_path: Path) -> None:
    execute = f"if requests[0].request_id() == 'bad':\n    sys.exit(7)\n{ECHO}"
    async with EmbeddedServer([python_model(tmp_path, "m", execute)]) as server, channel(server.address) as connected:
        code, text = await refusal(stub(connected).ModelInfer(request("m", id="bad")))
        assert (code, text) == ("INTERNAL", "the model failed: SystemExit(7)")
        assert (await stub(connected).ModelInfer(request("m"))).raw_output_contents == [bytes(4)]


async def test_a_model_that_never_returns_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    execute = f"open({str(tmp_path / 'begun')!r}, 'w').close()\n{FOREVER}"
    server = await EmbeddedServer([python_model(tmp_path / "models", "m", execute)], grace=0.2).start()
    async with channel(server.address) as connected:
        asked = asyncio.ensure_future(stub(connected).ModelInfer(request("m")))
        await asyncio.to_thread((tmp_path / "begun").read_bytes)
        process = server._process
        assert process is not None
        process.terminate()
        async with asyncio.timeout(10):
            assert await process.wait() == 0
            assert (await refusal(asked))[0] in ("UNAVAILABLE", "CANCELLED")
    await server.stop()
    assert "a model does not end what it executes, and is left" in server.log


async def test_a_load_that_never_ends_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    repository = python_model(tmp_path / "models", "m", ECHO)
    server = await EmbeddedServer([repository], grace=0.1).start()
    os.mkfifo(tmp_path / "begun")
    body = f"open({str(tmp_path / 'begun')!r}, 'w').close(); {FOREVER}"
    python_model(repository, "n", ECHO, f"@staticmethod\ndef auto_complete_config(config):\n    {body}")
    from tritonclient.grpc import service_pb2

    async with channel(server.address) as connected:
        asked = stub(connected).RepositoryModelLoad(service_pb2.RepositoryModelLoadRequest(model_name="n"))
        loading = asyncio.ensure_future(asked)
        await asyncio.to_thread((tmp_path / "begun").read_bytes)
        assert (await stub(connected).ModelInfer(request("m"))).raw_output_contents == [bytes(4)]
        process = server._process
        assert process is not None
        process.terminate()
        async with asyncio.timeout(10):
            await process.wait()
        await refusal(loading)
    await server.stop()
