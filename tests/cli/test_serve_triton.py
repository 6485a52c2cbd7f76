"""`eventbraid serve --triton`: what it serves, what it says, and that nothing is left of it however it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as tritonclient

sys.path.insert(0, str(Path(__file__).parents[1] / "inference"))
sys.path.insert(0, str(Path(__file__).parent))
from networks import make_repository
from processes import Command, children, ends
from real_triton import require_triton

DOUBLES = """
import triton_python_backend_utils as triton

class TritonPythonModel:
    def execute(self, requests):
        found = [triton.get_input_tensor_by_name(each, "x").as_numpy() for each in requests]
        return [triton.InferenceResponse([triton.Tensor("y", 2 * each)]) for each in found]
"""
HANGS = """
import threading

class TritonPythonModel:
    def execute(self, requests):
        print("it hangs", flush=True)
        threading.Event().wait()
"""
SIGNATURE = """
input { name: "x" data_type: TYPE_FP32 dims: 3 }
output { name: "y" data_type: TYPE_FP32 dims: 3 }
"""
ROW = np.arange(3, dtype=np.float32)
Serve = Callable[..., Command]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, `one`, and a model in Python, `doubles`."""
    require_triton()
    folder = tmp_path_factory.mktemp("models")
    shutil.move(make_repository(tmp_path_factory.mktemp("all")) / "one", folder)
    return in_python(folder, "doubles", DOUBLES)


def in_python(folder: Path, name: str, program: str) -> Path:
    (folder / name / "1").mkdir(parents=True)
    (folder / name / "1/model.py").write_text(program)
    (folder / name / "config.pbtxt").write_text(SIGNATURE)
    return folder


@pytest.fixture
def serve(repository: Path) -> Iterator[Serve]:
    """Starts `eventbraid serve --triton` on free ports; nothing of it is left after the test."""
    started: list[Command] = []

    def start(*options: str, models: Path = repository) -> Command:
        made = Command("serve", "--triton", f"--models={models}", "--port=0", *options)
        started.append(made)
        return made

    yield start
    for each in started:
        each.close()


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> tuple[Command, dict[str, Any]]:
    """One that serves, and what it wrote as JSON."""
    command = serve("--http-port=0", "--metrics-port=0", f"--json={tmp_path / 'ready.json'}")
    command.says("serving ")
    return command, json.loads((tmp_path / "ready.json").read_text())


def infer(address: str, model: str) -> np.ndarray:
    given = tritonclient.InferInput("x", ROW.shape, "FP32")
    given.set_data_from_numpy(ROW)
    with tritonclient.InferenceServerClient(address) as client:
        return client.infer(model, [given]).as_numpy("y")


def watched(command: Command) -> tuple[list[int], Path]:
    return command.below(), command.folder


def nothing_is_left(left: tuple[list[int], Path]) -> bool:
    watches, folder = left
    ended = [ends(watch) for watch in watches]
    return all(ended) and not folder.exists() and not list(Path("/dev/shm").glob(f"{folder.name}*"))


@pytest.mark.triton
def test_it_serves_networks_and_models_in_python(served: tuple[Command, dict[str, Any]]) -> None:
    _, said = served
    assert infer(said["address"], "doubles").tolist() == [0, 2, 4]
    assert infer(said["address"], "one").tolist() == [3]


@pytest.mark.triton
def test_it_says_where_what_is_served(served: tuple[Command, dict[str, Any]]) -> None:
    command, said = served
    assert sorted(said["models"]) == ["doubles", "one"]
    assert said["address"] == f"127.0.0.1:{said['ports']['grpc']}"
    line = command.said[-1]
    assert "with Triton 2.51 on " in line
    assert f"gRPC at {said['address']}, HTTP at 127.0.0.1:{said['ports']['http']}, " in line
    assert f"metrics at http://127.0.0.1:{said['ports']['metrics']}/metrics; Ctrl-C ends it" in line


@pytest.mark.triton
def test_http_and_metrics_answer_where_they_are_asked_for(served: tuple[Command, dict[str, Any]]) -> None:
    ports = served[1]["ports"]
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['http']}/v2/health/ready") as ready:
        assert ready.status == 200
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['metrics']}/metrics") as metrics:
        assert b"nv_inference_request_success" in metrics.read()


@pytest.mark.triton
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(served: tuple[Command, dict[str, Any]], number: signal.Signals) -> None:
    command, _ = served
    left = watched(command)
    command.signal(number)
    assert command.end() == 0, command.said
    assert f"{number.name}: Triton ends once its requests are finished; once more kills it\n" in command.said
    assert nothing_is_left(left)


@pytest.mark.triton
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_nothing_is_left_where_the_command_itself_is_killed(
    served: tuple[Command, dict[str, Any]], number: signal.Signals
) -> None:
    command, _ = served
    left = watched(command)
    command.signal(number)
    assert command.end() == -number
    assert nothing_is_left(left)


@pytest.mark.triton
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_starts_ends_it_with_the_signals_code(serve: Serve, number: signal.Signals) -> None:
    command = serve("--verbose")
    command.says("loading: ")
    left = watched(command)
    command.signal(number)
    assert command.end() == 128 + number, command.said
    assert not any(line.startswith("serving ") for line in command.said)
    assert nothing_is_left(left)


@pytest.mark.triton
def test_a_kill_while_it_starts_leaves_nothing(serve: Serve) -> None:
    command = serve("--verbose")
    command.says("loading: ")
    left = watched(command)
    command.signal(signal.SIGKILL)
    command.end()
    assert nothing_is_left(left)


@pytest.mark.triton
def test_a_second_signal_kills_what_would_not_end(serve: Serve, tmp_path: Path) -> None:
    command = serve("--verbose", f"--json={tmp_path / 'ready.json'}", models=in_python(tmp_path / "m", "hangs", HANGS))
    command.says("serving ")
    left = watched(command)
    given = tritonclient.InferInput("x", ROW.shape, "FP32")
    given.set_data_from_numpy(ROW)
    address = json.loads((tmp_path / "ready.json").read_text())["address"]
    with tritonclient.InferenceServerClient(address) as client:
        client.async_infer("hangs", [given], lambda result, error: None)
        command.says("it hangs")
        command.signal(signal.SIGINT)
        command.says("once more kills it")
        command.says("in-flight")  # it waits for them
        command.signal(signal.SIGINT)
        assert command.end() == 128 + signal.SIGINT
    assert nothing_is_left(left)


@pytest.mark.triton
def test_a_server_that_ends_by_itself_is_an_error_with_its_last_words(served: tuple[Command, dict[str, Any]]) -> None:
    command, _ = served
    left = watched(command)
    (triton,) = children(command.keeper)
    os.kill(triton, signal.SIGKILL)
    assert command.end() == 1
    assert "error: Triton ended by itself\n" in command.said
    assert any("Started GRPCInferenceService" in line for line in command.said)
    assert nothing_is_left(left)


@pytest.mark.triton
def test_a_model_that_cannot_be_loaded_is_an_error_with_its_reason(serve: Serve, tmp_path: Path) -> None:
    command = serve(models=in_python(tmp_path, "broken", f"import nowhere\n{HANGS}"))
    assert command.end() == 1
    assert any(line.startswith("error: Triton did not start") for line in command.said)
    assert any("No module named 'nowhere'" in line for line in command.said)
    assert not any("Traceback" in line for line in command.said)


@pytest.mark.triton
def test_a_port_in_use_is_told_before_it_starts(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = serve(f"--metrics-port={port}")
        assert command.end() == 2
    assert f"error: metrics port {port}: cannot be used: is another server running there? " in "".join(command.said)


@pytest.mark.triton
def test_its_log_is_shown_where_that_is_asked_for(serve: Serve) -> None:
    command = serve("--verbose")
    command.says("Started GRPCInferenceService")
    command.says("serving ")


def test_faults_of_the_models_are_told_before_anything_is_installed(call: Any, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    called = call("serve", "--triton", "--models", str(tmp_path))
    assert called.code == 2
    assert called.err == f"error: {tmp_path}/m: has no version (expected NAME/1/model.onnx)\n"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--triton", "--latency", "20ms"], "--latency: does not go with --triton (Triton answers as soon as it can"),
        (["--triton", "--threads", "2"], "--threads: does not go with --triton (in Triton a model's own configuration"),
        (["--triton", "--token", "sesame"], "--token: does not go with --triton (Triton knows no bearer tokens"),
        (["--http-port", "0"], "--http-port: goes with --triton alone (the embedded server speaks gRPC alone"),
        (["--triton", "--bandwidth", "1Gbps"], "--bandwidth: does not go with --triton (Triton answers as soon as it"),
        (["--triton", "--faults", "f.toml"], "--faults: does not go with --triton"),
        (["--verbose"], "--verbose: goes with --triton alone"),
        (
            ["--triton", "--http-port", "0", "--tls-cert", "a", "--tls-key", "b"],
            "--http-port: does not go with --tls-cert (Triton has no TLS for HTTP",
        ),
        (["--triton", "--tls-cert", "a"], "a server with TLS needs both --tls-cert and --tls-key"),
    ],
)
def test_options_that_do_not_go_together_say_why(call: Any, options: list[str], text: str) -> None:
    called = call("serve", *options)
    assert called.code == 2
    assert text in called.err


def test_a_token_of_the_environment_is_no_guard_of_triton(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTBRAID_SERVER_TOKEN", "sesame")
    called = call("serve", "--triton")
    assert called.code == 2
    assert "--token: does not go with --triton" in called.err


def test_all_wrong_options_are_told_at_once(call: Any) -> None:
    called = call("serve", "--triton", "--latency", "20ms", "--threads", "2")
    assert called.code == 2
    assert "serve has 2 faults" in called.err
