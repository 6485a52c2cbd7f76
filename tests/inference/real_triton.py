"""The real Triton server, from PyPI and without a container: an environment of its own, made once and kept.

The wheel nvidia-pytriton carries the server and its Python back end. ONNX models run in it through a wrapper
`model.py` that calls onnxruntime.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import onnxruntime
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from eventbraid.serving.repository import ModelEntry, Repository

PACKAGES = ("nvidia-pytriton==0.7.0",)
# With NumPy 2.4 the Python back end answers with empty tensors; 1.26 has no wheel for Python 3.13.
NUMPY = "numpy<2" if sys.version_info < (3, 13) else "numpy==2.1.3"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

WRAPPER = """
import pathlib
import numpy
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        folder = pathlib.Path(args["model_repository"]) / args["model_version"]
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        self.inputs = [(each.name, each.type) for each in self.session.get_inputs()]
        self.outputs = [(each.name, each.type) for each in self.session.get_outputs()]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        given = {}
        for name, kind in self.inputs:
            array = triton.get_input_tensor_by_name(request, name).as_numpy()
            if kind == "tensor(string)":
                array = numpy.array([each.decode() for each in array.ravel()], object).reshape(array.shape)
            given[name] = array
        wanted = [name for name, _ in self.outputs if name in request.requested_output_names()]
        try:
            arrays = self.session.run(wanted, given)
        except Exception as error:
            return triton.InferenceResponse([], triton.TritonError(f"the model failed: {error}"))
        return triton.InferenceResponse(
            [triton.Tensor(n, numpy.array(a, object) if a.dtype.kind in "OU" else a) for n, a in zip(wanted, arrays)]
        )
"""


def environment() -> Path:
    """The folder of the environment, made if it is not there; skips where the platform has no such wheel."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("there is no wheel of the Triton server for this platform")
    cache = Path(os.environ.get("EVENTBRAID_CACHE") or Path.home() / ".cache/eventbraid")
    folder = cache / f"triton-2.51-python{VERSION}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", *PACKAGES], check=True)
        subprocess.run([*pip, NUMPY, f"onnxruntime=={onnxruntime.__version__}"], check=True, capture_output=True)
        (folder / "complete").touch()
    return folder


def library_path() -> str:
    """Where libpython is that the Python back end's stub needs; without it Triton would hang, so skip."""
    name = f"libpython{VERSION}.so.1.0"
    folders = [sysconfig.get_config_var("LIBDIR") or "", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/local/lib"]
    for folder in folders:
        if (Path(folder) / name).exists():
            return folder
    pytest.skip(f"Triton's Python back end needs {name} (Debian: apt-get install libpython{VERSION})")


def wrap(repository: Path, folder: Path) -> None:
    """The models of a repository for Triton's Python back end."""
    for model in Repository.open([repository]).models:
        version = folder / model.name / model.version
        version.mkdir(parents=True)
        shutil.copy(model.file, version / "model.onnx")
        (version / "model.py").write_text(WRAPPER)
        (folder / model.name / "config.pbtxt").write_text(python_config(model))


def python_config(model: ModelEntry) -> str:
    """The model's configuration with the Python back end for its own."""
    from google.protobuf import text_format

    config = type(model.config)()
    config.CopyFrom(model.config)
    config.platform = ""
    config.backend = "python"
    return str(text_format.MessageToString(config))


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def triton(repository: Path) -> Iterator[str]:
    """A running Triton with the models of a repository; gives its address."""
    folder = environment()
    libraries = library_path()
    server = folder / "lib" / f"python{VERSION}" / "site-packages/pytriton/tritonserver"
    prefix = f"eventbraid-test-{os.getpid()}"
    with tempfile.TemporaryDirectory() as work:
        backend = Path(work) / "backends/python"
        backend.mkdir(parents=True)
        stubs = server / "python_backend_stubs" / VERSION
        for file in (*(server / "backends/python").glob("*.*"), stubs / "triton_python_backend_stub"):
            (backend / file.name).symlink_to(file)
        models = Path(work) / "models"
        wrap(repository, models)
        (port,) = free_ports(1)
        command = [
            str(server / "bin/tritonserver"),
            f"--model-repository={models}",
            f"--backend-directory={backend.parent}",
            f"--backend-config=python,shm-region-prefix-name={prefix}",
            f"--grpc-port={port}",
            "--grpc-address=127.0.0.1",
            "--allow-http=false",
            "--allow-metrics=false",
            "--exit-timeout-secs=5",
        ]
        path = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "LD_LIBRARY_PATH": libraries}
        log = (Path(work) / "log").open("w+")
        process = subprocess.Popen(command, env={**os.environ, **path}, stdout=log, stderr=log)
        try:
            wait_ready(f"127.0.0.1:{port}", process, log.name)
            yield f"127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()
            for region in Path("/dev/shm").glob(f"{prefix}*"):
                region.unlink()


def wait_ready(address: str, process: subprocess.Popen[bytes], log: str) -> None:
    deadline = time.monotonic() + 60
    options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]
    with grpc.insecure_channel(address, options=options) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=5, wait_for_ready=True).ready:
                    return
            except grpc.RpcError:
                continue
    raise AssertionError(f"Triton did not start:\n{Path(log).read_text()[-3000:]}")
