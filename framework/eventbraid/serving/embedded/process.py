"""The embedded server as a process of its own; it ends with its parent, however that ends."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eventbraid.durations import parse_duration
from eventbraid.errors import EventbraidError
from eventbraid.loops import loop_factory
from eventbraid.serving.embedded.calls.link import parse_bandwidth
from eventbraid.serving.embedded.server import Options, Serving, serving
from eventbraid.serving.emulation import parse_device
from eventbraid.serving.guarding import tls_of
from eventbraid.serving.repository.layout import Repository
from eventbraid.tokens import SERVER_TOKEN_VARIABLE

if TYPE_CHECKING:
    from eventbraid.testing import Disturbance, Script

__all__ = ["main", "serve"]

PR_SET_PDEATHSIG = 1
LAST_SECONDS = 4.0
"""After the grace, until the system ends the process."""


def serve(
    models: Sequence[str | Path],
    options: Options,
    *,
    faults: Script | None = None,
    ready: Callable[[Serving, Repository], None] = lambda where, repository: None,
    attached: bool = False,
) -> None:
    """Serve folders of models on 127.0.0.1 until SIGTERM or SIGINT; `ready` is told where.

    With `faults` it misbehaves by that script; raises `ConfigurationError` where it names a model that is not there.
    Where `attached`, SIGINT is left to the parent and the end of standard input, which is the parent's end,
    stops the server too.
    """
    repository = Repository.open(models)
    if faults is not None:
        faults.check(entry.name for entry in repository.models)

    async def run() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        starting = asyncio.current_task()

        def end() -> None:
            # Whatever a model does then, also where no Python runs any more.
            signal.setitimer(signal.ITIMER_REAL, options.grace + LAST_SECONDS)
            over.set()
            if starting is not None:
                starting.cancel()

        if attached:
            loop.add_reader(sys.stdin.fileno(), _read_until_closed, end)
            loop.add_signal_handler(signal.SIGINT, lambda: None)
        else:
            loop.add_signal_handler(signal.SIGINT, end)
        loop.add_signal_handler(signal.SIGTERM, end)
        disturbance = None if faults is None else _disturbance(faults)
        disturbers = [] if disturbance is None else [disturbance.interceptor()]
        async with serving(repository, options, disturbers) as where, disturbance or contextlib.nullcontext():
            starting = None
            ready(where, repository)
            await over.wait()

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner, contextlib.suppress(asyncio.CancelledError):
            runner.run(run())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _disturbance(faults: Script) -> Disturbance:
    from eventbraid.testing import Disturbance

    return Disturbance(faults)


def _script(text: str) -> Script:
    from eventbraid.testing import Script

    return Script.from_json(text)


def _read_until_closed(end: Callable[[], None]) -> None:
    if not os.read(sys.stdin.fileno(), 1024):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        end()


def _die_with_parent() -> None:
    """On Linux the kernel ends us when the parent is killed, also while we are starting."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> int:
    """`python -m eventbraid.serving`: what `EmbeddedServer` starts; prints a line of JSON when ready."""
    _die_with_parent()
    parser = argparse.ArgumentParser(prog="python -m eventbraid.serving")
    parser.add_argument("--models", action="append", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=parse_duration, default=0.0)
    parser.add_argument("--bandwidth", type=parse_bandwidth)
    parser.add_argument("--device", type=parse_device)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--metrics-port", type=int)
    parser.add_argument("--most-memory", type=int)
    parser.add_argument("--grace", type=float, default=30.0)
    parser.add_argument("--faults", type=_script)
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    parser.add_argument("--tls-client-roots")
    try:
        arguments = parser.parse_args()
    except EventbraidError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code

    def ready(where: Serving, repository: Repository) -> None:
        names = [model.name for model in repository.models]
        print(json.dumps({"port": where.port, "metrics_port": where.metrics_port, "models": names}), flush=True)  # noqa: T201

    try:
        memory = {} if arguments.most_memory is None else {"most_memory": arguments.most_memory}
        options = Options(
            port=arguments.port,
            threads=arguments.threads,
            latency=arguments.latency,
            bandwidth=arguments.bandwidth,
            device=arguments.device,
            grace=arguments.grace,
            metrics_port=arguments.metrics_port,
            tls=tls_of(arguments.tls_cert, arguments.tls_key, arguments.tls_client_roots),
            token=os.environ.get(SERVER_TOKEN_VARIABLE, ""),
            **memory,
        )
        serve(arguments.models, options, faults=arguments.faults, ready=ready, attached=True)
    except EventbraidError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0
