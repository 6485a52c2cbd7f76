"""The server of a job that is measured: whether it asks one, and one of its own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from eventbraid.job import Job
from eventbraid.plan import Plan
from eventbraid.studies.units import shown_bandwidth, shown_seconds

__all__ = ["infers", "own_server"]


def infers(plan: Plan) -> bool:
    """True when a module asks an inference server; what was never imported is in no plan."""
    if "eventbraid.inference" not in sys.modules:
        return False
    from eventbraid.inference import (
        InferenceFilter,
        InferenceProducer,
        RaggedInferenceFilter,
        RaggedInferenceProducer,
    )

    kinds = (InferenceProducer, InferenceFilter, RaggedInferenceProducer, RaggedInferenceFilter)
    return any(isinstance(node.module, kinds) for node in plan.nodes)


async def own_server(
    stack: contextlib.AsyncExitStack,
    job: Job,
    distance: float | None,
    bandwidth: float | None,
    folder: Path,
    say: Callable[[str], None],
    device: str = "",
) -> Sequence[str]:
    """An embedded server for a job, as it is to be named, for as long as the stack is open."""
    from eventbraid.serving import EmbeddedServer, known_repositories

    server = EmbeddedServer(known_repositories(job.models), latency=distance or 0.0, bandwidth=bandwidth, device=device)
    await stack.enter_async_context(server)
    if distance is None and bandwidth is None:
        say(f"embedded server at {server.address} for all runs")
        return [server.address]
    away = "" if distance is None else f", {shown_seconds(distance)} away"
    through = "" if bandwidth is None else f", {shown_bandwidth(bandwidth)} each way"
    say(f"embedded server at {server.address}{away}{through}")
    name = f"embedded{away}"
    file = folder / f"server-{server.address.rpartition(':')[2]}.toml"
    file.write_text(f'[[server]]\nname = "{name}"\naddress = "{server.address}"\nshared_memory = false\n')
    return [str(file)]
