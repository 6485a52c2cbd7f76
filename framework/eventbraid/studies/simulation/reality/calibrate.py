"""What one real client measures beside all that its study says, put into the study."""

from __future__ import annotations

from dataclasses import replace

from eventbraid.studies.scale import Point
from eventbraid.studies.simulation.result import Result
from eventbraid.studies.simulation.simulate import SETTLE, simulate
from eventbraid.studies.simulation.study import Ask, Study, Work

__all__ = ["asking_seconds", "calibrated"]


def asking_seconds(study: Study, result: Result) -> float:
    """Of all modules that ask, for an event, mean: what `Point.module_seconds` is of a measurement."""
    both = zip(study.client.modules, result.modules, strict=True)
    return sum(times.mean for module, times in both if isinstance(module, Ask))


def calibrated(study: Study, one: Point, *, settle: float = SETTLE) -> Study:
    """The study of one server as one client alone has measured it, its servers idle.

    By what its modules that ask take longer a request's way is longer, by what the others do an event has one more
    module: the framework's own time, and that of a busy machine. Nothing is taken away where they take less.
    """
    (server,), client = study.servers, study.client
    ideal = simulate(replace(study, clients=1), settle=settle)
    asking = asking_seconds(study, ideal)
    requests = sum(each.requests for each in client.modules if isinstance(each, Ask))
    way = max(0.0, one.module_seconds - asking) / max(requests, 1)
    rest = max(0.0, (one.event_seconds - one.module_seconds) - (ideal.event.median - asking))
    network = replace(server.network, latency=server.network.latency + way)
    modules = (*client.modules, Work(rest))
    return replace(study, client=replace(client, modules=modules), servers=(replace(server, network=network),))
