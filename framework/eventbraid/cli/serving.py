"""`eventbraid serve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from eventbraid.cli.options import Json, write_json
from eventbraid.cli.showing import console
from eventbraid.errors import ConfigurationError
from eventbraid.tokens import SERVER_TOKEN_VARIABLE

__all__ = ["serve"]


def serve(
    models: Annotated[
        list[Path] | None, typer.Option(help="a folder of models in Triton's layout; the installed ones where none")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 chooses a free one")] = 8001,
    latency: Annotated[str, typer.Option(metavar="20ms", help="delay every answer by that much")] = "0ms",
    bandwidth: Annotated[
        str, typer.Option(metavar="1Gbps", help="let so much through a second, each way; what there is where empty")
    ] = "",
    threads: Annotated[int, typer.Option(min=1, help="threads of one execution")] = 1,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="show metrics for Prometheus there; 0 chooses a free one")
    ] = None,
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
    json: Json = None,
) -> None:
    """Serve models on 127.0.0.1 until interrupted: an embedded server for development, not for production."""
    from eventbraid.durations import parse_duration
    from eventbraid.serving import known_repositories
    from eventbraid.serving.embedded import Options, Serving
    from eventbraid.serving.guarding import tls_of
    from eventbraid.serving.link import parse_bandwidth
    from eventbraid.serving.process import serve as serve_models
    from eventbraid.serving.repository import Repository

    folders = [*models] if models else known_repositories()
    if not folders:
        raise ConfigurationError("no package with models is installed: give --models DIR", "serve")

    def ready(where: Serving, repository: Repository) -> None:
        names = [model.name for model in repository.models]
        shown = f"http://127.0.0.1:{where.metrics_port}/metrics" if where.metrics_port else ""
        write_json({"address": f"127.0.0.1:{where.port}", "metrics": shown, "models": names}, json)
        sys.stdout.flush()
        metrics = f", metrics at {shown}" if shown else ""
        console().print(f"serving {', '.join(names)} at 127.0.0.1:{where.port}{metrics}; Ctrl-C ends it")

    script = None
    if faults is not None:
        from eventbraid.testing import Script

        script = Script.read(faults)
    options = Options(
        port=port,
        latency=parse_duration(latency),
        bandwidth=parse_bandwidth(bandwidth) if bandwidth else None,
        threads=threads,
        metrics_port=metrics_port,
        tls=tls_of(tls_cert, tls_key, tls_client_roots),
        token=token,
    )
    serve_models(folders, options, faults=script, ready=ready)
