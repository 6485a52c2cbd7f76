"""Starts the real Triton in a process of its own, and stops it in every case of ending."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from eventbraid.errors import ServerError
from eventbraid.serving.emulation import parse_device
from eventbraid.serving.guarding import ServerTLS
from eventbraid.serving.ports import free_port, reached
from eventbraid.serving.repository.layout import ModelEntry, Repository
from eventbraid.serving.triton import keeper
from eventbraid.serving.triton.environment import TritonEnvironment, triton_environment
from eventbraid.serving.triton.traps import SHARED, check_start, shared_bytes
from eventbraid.serving.triton.wrapping import wrap

__all__ = ["TritonServer", "free_port"]

START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 20.0
DRAIN_SECONDS: Final = 5
"""For the requests in flight, from SIGTERM on."""
FIRST_LINES, LAST_LINES = 5, 40
"""Of the log: what was wrong with the command stands at the head of its help."""
READY: Final = "Started GRPCInferenceService"
"""What it says once its models are loaded; it says so of HTTP and metrics before anybody listens there."""


class TritonServer:
    """The real Triton with models in ONNX and Python: `async with TritonServer(models=[...]) as server: ...`.

    It has its ports for its life: whatever ended it, `start` starts it there again. It ends when it is stopped, and
    when this process ends in whatever way. It belongs to no event loop. HTTP and metrics are off where their port is
    None; 0 chooses a free one. On a `device` as in "emulated:gpus=4,t0=2ms,per_row=50us" every model takes the time of
    its GPUs. Where `echo`, its log is written to standard error too. `options` are further options of tritonserver's
    command line.
    """

    def __init__(
        self,
        models: Sequence[str | Path],
        *,
        port: int = 0,
        http_port: int | None = None,
        metrics_port: int | None = None,
        tls: ServerTLS | None = None,
        device: str = "",
        echo: bool = False,
        options: Sequence[str] = (),
    ) -> None:
        self._folders = list(models)
        wanted = {"grpc": port, "http": http_port, "metrics": metrics_port}
        self.ports = {name: number for name, number in wanted.items() if number is not None}
        """By what speaks there: "grpc", "http", "metrics"."""
        self._device = parse_device(device) if device else None
        self._echo = echo
        self._options = [*(tls.options() if tls is not None else ()), *options]
        self._keeper: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._folder: Path | None = None
        self._last_words = ""
        self.address = ""
        self.models: tuple[str, ...] = ()
        self.gpus = 0
        """How many its models use."""
        self._instances = 0

    def __repr__(self) -> str:
        state = self.address if self._keeper is not None else "not running"
        return f"TritonServer({state}, models: {', '.join(self.models)})"

    @property
    def pid(self) -> int | None:
        """The process id of tritonserver, while there is one; its models run in processes of its group."""
        return self._pid

    @property
    def log(self) -> str:
        """The first and the last lines that the server wrote since its last start."""
        if self._folder is None or not (log := self._folder / "log").exists():
            return self._last_words
        lines = log.read_text(errors="replace").splitlines()
        if len(lines) > FIRST_LINES + LAST_LINES:
            lines = [*lines[:FIRST_LINES], "...", *lines[-LAST_LINES:]]
        return "\n".join(lines)

    async def start(self) -> Self:
        """Start it and wait until it serves; raises `ServerError` with its last words if it does not.

        The first start on a machine installs it. Raises `ConfigurationError` where it cannot run here.
        """
        if self._keeper is not None:
            raise ServerError("this server is running", server=self.address)
        found = await asyncio.to_thread(triton_environment)
        try:
            if self._folder is None:
                preparing = asyncio.ensure_future(asyncio.to_thread(self._prepare, found))
                try:
                    await asyncio.shield(preparing)
                finally:
                    await asyncio.wait([preparing])  # where it is cancelled the thread goes on
            await self._launch(found)
        except BaseException:
            await self.stop()
            raise
        return self

    def _prepare(self, found: TritonEnvironment) -> None:
        repository = Repository.open(self._folders)
        self._folder = Path(tempfile.mkdtemp(prefix="eventbraid-triton-"))
        backend = self._folder / "backends/python"
        backend.mkdir(parents=True)
        for file in found.backend_files():
            (backend / file.name).symlink_to(file)
        self.gpus = found.gpus if self._device is None else 0
        wrap(repository, self._folder / "models", gpus=self.gpus, device=self._device)
        for name, port in self.ports.items():
            self.ports[name] = port or free_port(self.ports.values())
        self.address = f"127.0.0.1:{self.ports['grpc']}"
        self.models = tuple(model.name for model in repository.models)
        copies = self._device.gpus if self._device is not None else max(1, self.gpus)
        self._instances = sum(map(_instances, repository.models)) * copies

    async def _launch(self, found: TritonEnvironment) -> None:
        programs = found.binary, found.stub
        await asyncio.to_thread(check_start, *programs, found.variables(), self.ports, self._instances)
        kept = self._keeper = self._spawn(found)
        assert kept.stdout is not None
        said: dict[str, Any] = {}
        try:
            async with asyncio.timeout(START_SECONDS):
                while "ready" not in said and (line := await asyncio.to_thread(kept.stdout.readline)):
                    said |= json.loads(line)
                    self._pid = said["pid"]
                for port in self.ports.values():
                    await reached(port, lambda: kept.poll() is None)
        except TimeoutError:
            raise ServerError(f"Triton was not ready after {START_SECONDS:.0f} s\n{self.log}") from None
        if "ready" not in said or kept.poll() is not None:
            raise ServerError(f"Triton did not start\n{self.log}")

    def _spawn(self, found: TritonEnvironment) -> subprocess.Popen[bytes]:
        """Start the keeper; not by the event loop, for uvloop's fork crashes a process in which gRPC is at work."""
        command, pipe = self._command(found), subprocess.PIPE
        # A session of its own: Ctrl-C in the terminal is for the job, which then stops the server.
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True, env=found.variables())

    def _command(self, found: TritonEnvironment) -> list[str]:
        assert self._folder is not None
        regions = f"{self._folder.name}-"
        region_bytes = shared_bytes(shutil.disk_usage(SHARED).free, self._instances)
        keep = [sys.executable, "-I", keeper.__file__, f"--folder={self._folder}", f"--log={self._folder / 'log'}"]
        keep += ["--echo"] if self._echo else []
        return [
            *(*keep, f"--regions={regions}", f"--ready={READY}", "--", str(found.binary)),
            f"--model-repository={self._folder / 'models'}",
            f"--backend-directory={self._folder / 'backends'}",
            f"--backend-config=python,shm-region-prefix-name={regions}",
            f"--backend-config=python,shm-default-byte-size={region_bytes}",
            f"--exit-timeout-secs={DRAIN_SECONDS}",
            *(f"--allow-{name}={str(name in self.ports).lower()}" for name in ("grpc", "http", "metrics")),
            *(f"--{name}-address=127.0.0.1" for name in self.ports),
            *(f"--{name}-port={port}" for name, port in self.ports.items()),
            *self._options,
        ]

    async def ended(self) -> None:
        """Wait until it has ended, by itself or otherwise."""
        await self._ended()

    async def stop(self) -> None:
        """Let it finish its requests and end it; kill it if it does not end. Nothing of it is left."""
        try:
            await self.terminate()
        finally:
            if self._folder is not None:
                self._last_words = self.log
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    async def terminate(self) -> None:
        """SIGTERM, and wait for its end: it finishes what is in flight and refuses what is new."""
        if self._keeper is None:
            return
        self.thaw()
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._ended()
        except TimeoutError:
            await self.kill()
        except asyncio.CancelledError:
            self._signal(signal.SIGKILL)  # nobody is left to ask again
            raise

    async def kill(self) -> None:
        """SIGKILL it and the processes of its models."""
        self._signal(signal.SIGKILL)
        await self._ended()

    def freeze(self) -> None:
        """SIGSTOP: it keeps its connections and does not answer."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it was frozen."""
        self._signal(signal.SIGCONT)

    async def aclose(self) -> None:
        """The same as `stop`."""
        await self.stop()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _signal(self, number: signal.Signals) -> None:
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, number)

    async def _ended(self) -> None:
        """Wait until the keeper has seen the server's end and cleared up behind it."""
        keeper = self._keeper
        if keeper is None:
            return
        await asyncio.to_thread(keeper.wait)
        for pipe in (keeper.stdin, keeper.stdout):
            assert pipe is not None
            pipe.close()
        if self._keeper is keeper:  # others may have waited too
            self._keeper = self._pid = None


def _instances(model: ModelEntry) -> int:
    return sum(max(1, group.count) for group in model.config.instance_group) or 1
