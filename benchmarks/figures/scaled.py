"""The papers' setups at a scale that real processes on one machine carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.figures.sweep import spread
from eventbraid.serving.emulation import DeviceSpec
from eventbraid.studies.simulation import Ask, Client, Model, Network, Study, Work
from eventbraid.studies.simulation.published import deepcalo, facile, hlt, protodune, resnet50

__all__ = ["SETUPS", "Scale", "Setup", "scaled"]

BITS: Final = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """How a study is made smaller: all of it changes the times, and rows and batches stay."""

    time: float = 1.0
    """By which all times are multiplied."""
    load: float = 1.0
    """By which those of the GPU are multiplied once more: a client asks for what so many clients do."""
    joined: int = 1
    """Requests of an event that are one, with the times of all of them."""

    def __str__(self) -> str:
        parts = [f"times x {self.time:.3g}"] if self.time != 1 else []
        parts += [f"GPU's x {self.load:g} more"] if self.load != 1 else []
        parts += [f"{self.joined} requests in one"] if self.joined != 1 else []
        return ", ".join(parts) or "as published"


@dataclass(frozen=True, slots=True)
class Setup:
    """A line of a figure that is measured with real processes."""

    figure: str
    what: str
    study: Study
    """As published."""
    scale: Scale
    clients: tuple[int, ...]

    @property
    def scaled(self) -> Study:
        """What is measured, and simulated beside."""
        return scaled(self.study, self.scale)


def scaled(study: Study, scale: Scale) -> Study:
    """The study with other times; a client's link is time of its requests, as in A, Eq. 2.

    All clients begin within an event's time, as before.
    """
    (server,) = study.servers
    bandwidth = server.network.client
    modules: list[Work | Ask] = []
    models: dict[str, Model] = {}
    times: dict[str, Mapping[str, float]] = {}
    latency = server.network.latency
    for module in study.client.modules:
        if isinstance(module, Work):
            modules.append(Work(module.seconds * scale.time))
            continue
        requests, rest = divmod(module.requests, scale.joined)
        assert not rest, f"{module.requests} requests are not groups of {scale.joined}"
        times_each = scale.time * scale.joined
        modules.append(replace(module, requests=requests, before=module.before * times_each))
        model, service = server.models[module.model], server.device.service(module.model)
        models[module.model] = replace(model, row_bytes=1)
        gpu = times_each * scale.load
        times[module.model] = {"t0": service.t0 * gpu, "per_row": service.per_row * gpu}
        if bandwidth is not None:
            latency += module.rows * model.row_bytes * BITS / bandwidth
        latency *= times_each
    device = DeviceSpec(server.device.gpus, models=times, answers="zeros")
    client = replace(study.client, modules=tuple(modules), stagger=study.client.stagger * scale.time)
    return replace(
        study, client=client, servers=(replace(server, device=device, models=models, network=Network(latency)),)
    )


def _events(study: Study, events: int) -> Study:
    client: Client = replace(study.client, events=events)
    return replace(study, client=client)
