"""Starts the embedded server in a process of its own, and stops it in every case of ending."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from eventbraid.errors import ServerError
from eventbraid.serving.emulation import parse_device
from eventbraid.serving.guarding import ServerTLS
from eventbraid.tokens import SERVER_TOKEN_VARIABLE

if TYPE_CHECKING:
    from eventbraid.testing.script import Faults

__all__ = ["EmbeddedServer"]

START_SECONDS: Final = 60.0
GRACE_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0
"""After the grace."""
LOG_LINES: Final = 40
LINE_BYTES: Final = 16384


class EmbeddedServer:
    """An embedded server: `async with EmbeddedServer(models=[...]) as server: ... server.address`.

    `latency` (seconds) and `bandwidth` (bits a second in each direction) are those of an emulated network before it.
    On a `device` as in "emulated:v100,gpus=4" every model takes the time of its GPUs.
    Its metrics are at `metrics_address` where a `metrics_port` is given. All requests together may take `most_memory`
    bytes, half of the machine's where nothing is said. Requests in flight have `grace` seconds when it is stopped.
    With `faults`, a script of them, its file or a list, it misbehaves by it (docs/testing.md).
    With `tls` it shows a certificate, and may want one of its clients; with a `token` it wants that of every call.
    It ends when it is stopped, and when this process ends in whatever way.
    """

    def __init__(
        self,
        models: Sequence[str | Path],
        *,
        port: int = 0,
        latency: float = 0.0,
        bandwidth: float | None = None,
        device: str = "",
        threads: int = 1,
        metrics_port: int | None = None,
        most_memory: int | None = None,
        grace: float = GRACE_SECONDS,
        faults: Faults | None = None,
        tls: ServerTLS | None = None,
        token: str = "",
    ) -> None:
        self._command = [sys.executable, "-m", "eventbraid.serving", f"--port={port}", f"--threads={threads}"]
        self._command += [f"--latency={latency * 1e6:.0f}us", *(f"--models={folder}" for folder in models)]
        self._command.append(f"--grace={grace}")
        self._stop_seconds = grace + STOP_SECONDS
        if bandwidth is not None:
            self._command.append(f"--bandwidth={bandwidth:.0f}bps")
        if device:
            parse_device(device)  # its faults are the caller's
            self._command.append(f"--device={device}")
        if metrics_port is not None:
            self._command.append(f"--metrics-port={metrics_port}")
        if most_memory is not None:
            self._command.append(f"--most-memory={most_memory}")
        if faults is not None:
            from eventbraid.testing.script import script_of

            self._command.append(f"--faults={script_of(faults).to_json()}")
        if tls is not None:
            self._command += [f"--tls-cert={tls.certificate}", f"--tls-key={tls.key}"]
            self._command += [f"--tls-client-roots={tls.clients}"] if tls.clients is not None else []
        self._token = token
        self._process: asyncio.subprocess.Process | None = None
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._reading: asyncio.Task[None] | None = None
        self.address = ""
        self.metrics_address = ""
        """Of its metrics, for Prometheus: http://127.0.0.1:PORT/metrics."""
        self.models: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"EmbeddedServer({self.address or 'not running'}, models: {', '.join(self.models)})"

    @property
    def pid(self) -> int | None:
        """The process id, while there is a process."""
        return self._process.pid if self._process is not None else None

    @property
    def log(self) -> str:
        """The last lines that the server wrote."""
        return "\n".join(self._log)

    async def start(self) -> Self:
        """Start it and wait until it serves; raises `ServerError` with its last words if it does not."""
        pipe = asyncio.subprocess.PIPE
        # A session of its own: Ctrl-C in the terminal is for the job, which then stops the server.
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            env={**os.environ, SERVER_TOKEN_VARIABLE: self._token},
        )
        self._reading = asyncio.get_running_loop().create_task(self._read_log(self._process))
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            await self.stop()
            raise ServerError(f"the embedded server was not ready after {START_SECONDS:.0f} s\n{self.log}") from None
        except BaseException:
            await self.stop()
            raise
        try:
            said = json.loads(line)
            self.address, self.models = f"127.0.0.1:{said['port']}", tuple(said["models"])
            if said["metrics_port"]:
                self.metrics_address = f"http://127.0.0.1:{said['metrics_port']}/metrics"
        except (ValueError, KeyError, TypeError):
            process = self._process
            if not line:  # it has ended, or is about to
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), STOP_SECONDS)
            code = process.returncode
            await self.stop()
            said = line.decode(errors="replace").strip()
            last = self.log or ("" if code is None else f"it ended with status {code}, and said nothing")
            raise ServerError(f"the embedded server did not start\n{said}\n{last}".strip()) from None
        return self

    async def stop(self) -> None:
        """Let it finish its requests and end it; kill it if it does not end."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            try:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                async with asyncio.timeout(self._stop_seconds):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
            except asyncio.CancelledError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()  # nobody is left to ask again
                raise
        if process.stdin is not None:
            process.stdin.close()
        if self._reading is not None:
            await self._reading
            self._reading = None

    async def aclose(self) -> None:
        """The same as `stop`."""
        await self.stop()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        rest = b""
        while data := await process.stderr.read(LINE_BYTES):  # by bytes: no line may be too long to read
            *lines, rest = (rest + data).split(b"\n")
            self._log.extend(line.decode(errors="replace").rstrip() for line in lines)
            rest = rest[-LINE_BYTES:]
        if rest:
            self._log.append(rest.decode(errors="replace").rstrip())
        if self._process is process and self.address:  # nobody has stopped it
            self._log.append(f"the embedded server ended by itself, with status {await process.wait()}")
