"""`eventbraid serve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eventbraid.cli.options import Json, write_json
from eventbraid.cli.serving_options import check_options
from eventbraid.cli.showing import console
from eventbraid.durations import parse_duration
from eventbraid.errors import ConfigurationError
from eventbraid.tokens import SERVER_TOKEN_VARIABLE

if TYPE_CHECKING:
    from eventbraid.serving import Repository, TritonServer
    from eventbraid.serving.embedded.server import Options, Serving

__all__ = ["serve"]


def serve(
    models: Annotated[
        list[Path] | None, typer.Option(help="a folder of models in Triton's layout; the installed ones where none")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="only this of the models; may be repeated")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="of gRPC; 0 chooses a free one")] = 8001,
    triton: Annotated[
        bool, typer.Option("--triton", help="the real Triton, which is installed first where it is not")
    ] = False,
    http_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="of HTTP, Triton alone", show_default="off")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="of Prometheus metrics", show_default="off")
    ] = None,
    latency: Annotated[
        str | None, typer.Option(metavar="20ms", help="delay every answer by that much", show_default="none")
    ] = None,
    bandwidth: Annotated[
        str | None,
        typer.Option(metavar="1Gbps", help="let so much through a second, each way", show_default="the machine's"),
    ] = None,
    device: Annotated[
        str,
        typer.Option(metavar="emulated:v100,gpus=4", help="take the time of such GPUs", show_default="this machine"),
    ] = "",
    threads: Annotated[int | None, typer.Option(min=1, help="threads of one execution", show_default="1")] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="the server's certificate, PEM; with it only TLS is spoken")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="the key of the certificate, PEM")] = None,
    tls_client_roots: Annotated[
        Path | None, typer.Option(help="authorities, PEM: every client must show a certificate of one of them")
    ] = None,
    token: Annotated[
        str, typer.Option(envvar=SERVER_TOKEN_VARIABLE, help="that every call must have (authorization: Bearer TOKEN)")
    ] = "",
    faults: Annotated[
        Path | None, typer.Option(help="a script of faults, TOML: which requests are late, refused, lied to")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="show the log of Triton")] = False,
    json: Json = None,
) -> None:
    """Serve models on 127.0.0.1 until interrupted: by an embedded server for development, or by the real Triton."""
    from eventbraid.serving import TritonServer, known_repositories
    from eventbraid.serving.guarding import tls_of
    from eventbraid.serving.repository.choosing import only as chosen

    check_options(
        triton,
        {
            "--latency": latency,
            "--bandwidth": bandwidth,
            "--faults": faults,
            "--threads": threads,
            "--token": token,
            "--http-port": http_port,
            "--metrics-port": metrics_port,
            "--verbose": verbose,
            "--tls-cert": tls_cert,
        },
    )
    folders = [*models] if models else known_repositories()
    if not folders:
        raise ConfigurationError("no package with models is installed: give --models DIR", "serve")
    tls = tls_of(tls_cert, tls_key, tls_client_roots)
    with chosen(only or [], folders) as folders:
        if triton:
            made = TritonServer(
                folders,
                port=port,
                http_port=http_port,
                metrics_port=metrics_port,
                tls=tls,
                device=device,
                echo=verbose,
            )
            _triton(made, folders, json)
            return
        from eventbraid.serving.embedded.calls.link import parse_bandwidth
        from eventbraid.serving.embedded.server import Options
        from eventbraid.serving.emulation import parse_device

        options = Options(
            port=port,
            threads=threads or 1,
            latency=parse_duration(latency) if latency is not None else 0.0,
            bandwidth=parse_bandwidth(bandwidth) if bandwidth is not None else None,
            device=parse_device(device) if device else None,
            metrics_port=metrics_port,
            tls=tls,
            token=token,
        )
        _embedded(folders, options, faults, json)


def _embedded(folders: list[Path], options: Options, faults: Path | None, json: Path | None) -> None:
    from eventbraid.serving.embedded.process import serve as serve_models
    from eventbraid.testing import Script

    def ready(where: Serving, repository: Repository) -> None:
        names = [model.name for model in repository.models]
        shown = f"http://127.0.0.1:{where.metrics_port}/metrics" if where.metrics_port else ""
        _tell_ready({"address": f"127.0.0.1:{where.port}", "metrics": shown, "models": names}, json)
        metrics = f", metrics at {shown}" if shown else ""
        console().print(f"serving {', '.join(names)} at 127.0.0.1:{where.port}{metrics}; Ctrl-C ends it")

    script = Script.read(faults) if faults is not None else None
    serve_models(folders, options, faults=script, ready=ready)


def _triton(server: TritonServer, folders: list[Path], json: Path | None) -> None:
    import asyncio

    from eventbraid.cli.installing import Installing
    from eventbraid.serving import Repository
    from eventbraid.serving.triton.environment import TRITON, triton_environment
    from eventbraid.serving.triton.foreground import attend

    Repository.open(folders)  # every fault is told before anything is installed
    with Installing() as installing:
        triton_environment(installing.tell)  # by this thread, which Ctrl-C interrupts
    out = console()

    def ready() -> None:
        at = {name: f"127.0.0.1:{port}" for name, port in server.ports.items()}
        told: dict[str, Any] = {"address": server.address, "models": list(server.models), "gpus": server.gpus}
        _tell_ready(told | {"server": f"Triton {TRITON}", "ports": server.ports}, json)
        more = [f"HTTP at {at['http']}"] if "http" in at else []
        more += [f"metrics at http://{at['metrics']}/metrics"] if "metrics" in at else []
        where = f"on {server.gpus} GPU{'s' if server.gpus > 1 else ''}" if server.gpus else "on the CPU"
        places = ", ".join([f"gRPC at {server.address}", *more])
        out.print(f"serving {', '.join(server.models)} with Triton {TRITON} {where}, {places}; Ctrl-C ends it")

    if code := asyncio.run(attend(server, ready, out.print)):
        sys.exit(code)


def _tell_ready(what: dict[str, Any], json: Path | None) -> None:
    write_json(what, json)
    sys.stdout.flush()
