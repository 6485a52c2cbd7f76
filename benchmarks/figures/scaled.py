"""The papers' setups at a scale that real processes on one machine carry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from eventbraid.serving.emulation import DeviceSpec
from eventbraid.studies.simulation import Ask, Model, Network, Study, Work

__all__ = ["Scale", "scaled"]

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


def scaled(study: Study, scale: Scale) -> Study:
    """The study with other times; a client's link becomes time of its requests, as in A, Eq. 2."""
    (server,) = study.servers
    bandwidth, latency = server.network.client, server.network.latency
    modules: list[Work | Ask] = []
    models: dict[str, Model] = {}
    times: dict[str, dict[str, float]] = {}
    for module in study.client.modules:
        if isinstance(module, Work):
            modules.append(Work(module.seconds * scale.time))
            continue
        requests, rest = divmod(module.requests, scale.joined)
        assert not rest, f"{module.requests} requests are no groups of {scale.joined}"
        name, longer = f"scaled_{module.model}", scale.time * scale.joined
        modules.append(replace(module, model=name, requests=requests, before=module.before * longer))
        model, service = server.models[module.model], server.device.service(module.model)
        models[name] = replace(model, row_bytes=1)
        times[name] = {key: getattr(service, key) * longer * scale.load for key in ("t0", "per_row")}
        sent = module.rows * model.row_bytes * BITS / bandwidth if bandwidth else 0.0
        latency = (latency + sent) * longer
    server = replace(
        server,
        device=DeviceSpec(server.device.gpus, models=times, answers="zeros"),
        models=models,
        network=Network(latency),
    )
    client = replace(study.client, modules=tuple(modules), stagger=study.client.stagger * scale.time)
    return replace(study, client=client, servers=(server,))
