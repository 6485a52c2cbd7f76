"""Where the real Triton comes from: an environment of its own with the wheel nvidia-pytriton, made once and kept."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from eventbraid.cache import cache_folder
from eventbraid.errors import ConfigurationError, MissingExtra
from eventbraid.serving.triton.gpus import find_gpus, usable_gpus
from eventbraid.serving.triton.installing import Step, Tell, make_environment, quiet
from eventbraid.serving.triton.traps import PYTHON, find_libraries, platform_fault

__all__ = ["TRITON", "TritonEnvironment", "runtime", "triton_environment"]

WHEEL: Final = "nvidia-pytriton==0.7.0"
"""It carries tritonserver 2.51 and its Python back end, without a container."""
TRITON: Final = "2.51"
NUMPY: Final = "numpy<2" if sys.version_info < (3, 13) else "numpy==2.1.3"
"""With NumPy 2.4 the Python back end answers with empty tensors; 1.26 has no wheel for Python 3.13."""


@dataclass(frozen=True, slots=True)
class TritonEnvironment:
    """A server that can be started: the folder of its Python environment, that of the libpython it needs, and how
    many GPUs its models use."""

    folder: Path
    libraries: Path
    gpus: int = 0

    @property
    def binary(self) -> Path:
        """The server."""
        return self._server / "bin/tritonserver"

    @property
    def stub(self) -> Path:
        """The process of a model in Python, for this version of it."""
        return self._server / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"

    def backend_files(self) -> list[Path]:
        """The files of the Python back end."""
        return [*(self._server / "backends/python").glob("*.*"), self.stub]

    def variables(self) -> dict[str, str]:
        """The environment variables to start it with: the stub runs the first `python3` of the path."""
        path = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "LD_LIBRARY_PATH": str(self.libraries)}
        return {**os.environ, **path}

    @property
    def _server(self) -> Path:
        return self.folder / "lib" / f"python{PYTHON}" / "site-packages/pytriton/tritonserver"


def triton_environment(tell: Tell = quiet) -> TritonEnvironment:
    """The environment of the cache folder, made there by pip the first time, which takes a minute.

    Raises `ConfigurationError` where Triton cannot run on this machine, `ServerError` where pip fails. Whatever
    interrupts it, nothing half made is left.
    """
    if fault := platform_fault(sys.platform, platform.machine(), platform.libc_ver()):
        raise ConfigurationError(fault, "triton")
    libraries = find_libraries()
    gpus = find_gpus()
    package, requirement = runtime(_runtime_version(), gpus)
    cache = cache_folder()
    folder = cache / f"triton-{TRITON}-python{PYTHON}-{package}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        _take(lock.fileno(), tell)  # of several who need it first, one makes it
        if not (folder / "complete").exists():
            _make(folder, [["--no-deps", WHEEL], [NUMPY, requirement]], tell)
    return TritonEnvironment(folder, libraries, usable_gpus(gpus, _providers(folder) if gpus else ()))


def runtime(number: str, gpus: int) -> tuple[str, str]:
    """The onnxruntime of the models, as part of a folder's name and as pip wants it: with CUDA where there are GPUs."""
    if gpus:
        return f"onnxruntime-gpu-{number}", f"onnxruntime-gpu[cuda,cudnn]=={number}"
    return f"onnxruntime-{number}", f"onnxruntime=={number}"


def _take(lock: int, tell: Tell) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        tell(Step("waiting for another process, which makes Triton's environment"))
        fcntl.flock(lock, fcntl.LOCK_EX)


def _make(folder: Path, requirements: list[list[str]], tell: Tell) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        make_environment(scratch, requirements, tell)
        (scratch / "complete").touch()
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _providers(folder: Path) -> list[str]:
    """What onnxruntime there can execute with."""
    program = "import onnxruntime; print(*onnxruntime.get_available_providers())"
    done = subprocess.run(
        [str(folder / "bin/python"), "-c", program], capture_output=True, text=True, check=False, cwd=folder
    )
    return done.stdout.split()


def _runtime_version() -> str:
    try:
        return version("onnxruntime")
    except PackageNotFoundError as error:
        raise MissingExtra("models on Triton need onnxruntime: pip install 'eventbraid[local]'") from error
