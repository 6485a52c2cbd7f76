"""What a farm gives for a workload: speed-up, rate, bandwidth, cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from eventbraid.studies.model.checks import need_counts
from eventbraid.studies.model.farm import Farm
from eventbraid.studies.model.prices import HOUR, Hours, Prices
from eventbraid.studies.model.workload import Workload

__all__ = ["Estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """So many clients at a farm; times in seconds for one event, rates a second, bandwidths in bits a second."""

    name: str
    workload: Workload
    farm: Farm
    clients: int
    events: int
    """Whose cost is asked for."""
    prices: Prices | None = None
    rate: float | None = None
    """Events a second that are wanted."""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        need_counts("the farm", {"clients": self.clients, "events": self.events})

    @property
    def saturation(self) -> float:
        """Clients from which on they wait for each other."""
        return self.farm.saturation(self.workload)

    @property
    def event_seconds(self) -> float:
        """Between the events of one client, with all of them there."""
        return float(self.farm.event_seconds(self.workload, self.clients))

    @property
    def module_seconds(self) -> float:
        """What the module adds to that."""
        return float(self.farm.module_seconds(self.workload, self.clients))

    @property
    def events_per_second(self) -> float:
        """Of all clients."""
        return float(self.farm.events_per_second(self.workload, self.clients))

    @property
    def bound_by(self) -> str:
        """What is full first."""
        return self.farm.bound_by(self.workload, self.clients)

    @property
    def busy(self) -> float:
        """The share of the time for which the GPUs work."""
        return self.farm.busy(self.workload, self.clients)

    @property
    def bandwidth(self) -> float:
        """Of all clients together."""
        return self.events_per_second * self.workload.bits

    @property
    def client_bandwidth(self) -> float:
        """Of a client that waits for no other."""
        return self.workload.bits / self.farm.alone(self.workload)

    @property
    def gpu_bandwidth(self) -> float:
        """Of one GPU that is full."""
        return self.workload.bits / (self.farm.gpus * self.farm.shared(self.workload)["GPUs"])

    @property
    def speed_up(self) -> float | None:
        """An event's time without servers over that of a client; None where the former is not known."""
        return None if self.workload.module is None else self.workload.cpu_only / self.event_seconds

    @property
    def hours(self) -> Hours:
        """Of clients and GPUs for the events."""
        seconds = self.events / self.events_per_second
        return Hours(self.clients * seconds / HOUR, self.farm.gpus * seconds / HOUR)

    @property
    def cpu_only_hours(self) -> Hours | None:
        """Without servers; None where that is not known."""
        if self.workload.module is None:
            return None
        return Hours(self.events * self.workload.cpu_only / HOUR, 0.0)

    @property
    def break_even(self) -> float | None:
        """The price of a GPU hour, in hours of a core, up to which servers are cheaper; None where that is not known.

        With clients that fill the GPUs and their own cores it is F_GPU^eq of K (1).
        """
        without = self.cpu_only_hours
        return None if without is None else (without.cpu - self.hours.cpu) / self.hours.gpu

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain numbers, strings, lists and dictionaries; None for what is not known."""
        workload, known = self.workload, self.workload.module is not None
        without, prices = self.cpu_only_hours, self.prices
        return {
            "name": self.name,
            "notes": list(self.notes),
            "event": {
                **asdict(workload),
                "client_cpu": workload.client_cpu,
                "as_service": workload.as_service,
                "ideal": workload.ideal,
                "cpu_only": workload.cpu_only if known else None,
                "fraction": workload.fraction if known else None,
                "module_speed_up": workload.module_speed_up if known else None,
                "speed_up_limit": workload.speed_up_limit if known else None,
                "replacement": workload.replacement if known else None,
            },
            "farm": {
                **asdict(self.farm),
                "clients": self.clients,
                "saturation": self.saturation,
                "clients_per_gpu": self.saturation / self.farm.gpus,
                "event_seconds": self.event_seconds,
                "module_seconds": self.module_seconds,
                "events_per_second": self.events_per_second,
                "speed_up": self.speed_up,
                "gpus_busy": self.busy,
                "bound_by": self.bound_by,
                "bandwidth_used": self.bandwidth,
                "client_bandwidth": self.client_bandwidth,
                "gpu_bandwidth": self.gpu_bandwidth,
            },
            "cost": {
                "events": self.events,
                "hours": self.hours._asdict(),
                "cpu_only_hours": without._asdict() if without else None,
                "break_even": self.break_even,
                "prices": asdict(prices) if prices else None,
                "cost": prices.cost(self.hours) if prices else None,
                "cpu_only_cost": prices.cost(without) if prices and without else None,
            },
            "needs": {"rate": self.rate, **self.farm.needs(workload, self.rate)._asdict()} if self.rate else None,
        }
