"""Where the real Triton comes from: an environment of its own with the wheel nvidia-pytriton, made once and kept."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from eventbraid.errors import ConfigurationError, MissingExtra, ServerError

__all__ = ["TritonEnvironment", "find_libraries", "triton_environment"]

WHEEL: Final = "nvidia-pytriton==0.7.0"
"""It carries tritonserver 2.51 and its Python back end, without a container."""
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
NUMPY: Final = "numpy<2" if sys.version_info < (3, 13) else "numpy==2.1.3"
"""With NumPy 2.4 the Python back end answers with empty tensors; 1.26 has no wheel for Python 3.13."""
LIBRARY_FOLDERS: Final = (
    sysconfig.get_config_var("LIBDIR") or "",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/local/lib",
)


@dataclass(frozen=True, slots=True)
class TritonEnvironment:
    """A server that can be started: the folder of its Python environment, and that of the libpython it needs."""

    folder: Path
    libraries: Path

    @property
    def binary(self) -> Path:
        """The server."""
        return self._server / "bin/tritonserver"

    def backend_files(self) -> list[Path]:
        """The files of the Python back end, with the stub for this version of Python."""
        stub = self._server / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
        return [*(self._server / "backends/python").glob("*.*"), stub]

    def variables(self) -> dict[str, str]:
        """The environment variables to start it with: the stub runs the first `python3` of the path."""
        path = {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "LD_LIBRARY_PATH": str(self.libraries)}
        return {**os.environ, **path}

    @property
    def _server(self) -> Path:
        return self.folder / "lib" / f"python{PYTHON}" / "site-packages/pytriton/tritonserver"


def triton_environment() -> TritonEnvironment:
    """The environment of the cache folder, made there by pip the first time, which takes a minute.

    Raises `ConfigurationError` where Triton cannot run on this machine, `ServerError` where pip fails.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise ConfigurationError(
            "there is no wheel of the Triton server for this platform: use Linux on x86_64", "triton"
        )
    libraries = find_libraries(LIBRARY_FOLDERS)
    cache = Path(
        os.environ.get("EVENTBRAID_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eventbraid"
    )
    runtime = f"onnxruntime=={_runtime_version()}"
    folder = cache / f"triton-2.51-python{PYTHON}-{runtime.replace('==', '-')}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several who need it first, one makes it
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(folder)])
            pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*pip, "--no-deps", WHEEL])
            _run([*pip, NUMPY, runtime])
            (folder / "complete").touch()
    return TritonEnvironment(folder, libraries)


def find_libraries(folders: Iterable[str | Path]) -> Path:
    """The folder with the libpython that the Python back end needs; without it Triton would hang at its start."""
    name = f"libpython{PYTHON}.so.1.0"
    for folder in map(Path, folders):
        if (folder / name).exists():
            return folder
    raise ConfigurationError(
        f"the Python back end needs {name}, and this Python has none (Debian: apt-get install libpython{PYTHON})",
        "triton",
    )


def _runtime_version() -> str:
    try:
        return version("onnxruntime")
    except PackageNotFoundError as error:
        raise MissingExtra("models on Triton need onnxruntime: pip install 'eventbraid[local]'") from error


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServerError(f"Triton's environment could not be made: {' '.join(command)}\n{done.stderr.strip()}")
