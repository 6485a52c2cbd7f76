"""What an event of a job costs: on the CPU, on the GPU, on the network."""

from __future__ import annotations

from dataclasses import dataclass

from eventbraid.errors import ConfigurationError
from eventbraid.studies.model.checks import LEAST, need
from eventbraid.studies.model.equations import (
    accelerated_fraction,
    ideal_seconds,
    replacement_ratio,
)

__all__ = ["Workload"]


@dataclass(frozen=True, slots=True)
class Workload:
    """Times of one event in seconds, means over many; *the module* is all modules that go to a server.

    Raises `ConfigurationError` with every value that is negative or no number.
    """

    other: float
    """CPU time of all modules but the one that goes to a server."""
    gpu: float
    """t_GPU of W, Y of K: how long the event occupies one GPU."""
    packing: float = 0.0
    """CPU time that the module keeps when it goes to a server: t_preprocess of W, S + L of K."""
    transmit: float = 0.0
    """t_transmit of W, on the client's own link."""
    travel: float = 0.0
    """t_travel of W: the way there and back, of all requests that are sent one after the other."""
    module: float | None = None
    """X of K: CPU time of the module without a server; None where nobody knows, and then nor does a speed-up."""
    bits: float = 0.0
    """What is sent, or received if that is more."""

    def __post_init__(self) -> None:
        names = ("other", "packing", "transmit", "travel", "bits")
        need("the event", {name: getattr(self, name) for name in names})
        need("the event", {"gpu": self.gpu, "module": self.module}, positive=True)

    @property
    def client_cpu(self) -> float:
        """(1 - p) t_CPU: the CPU time that stays with the client."""
        return self.other + self.packing

    @property
    def cpu_only(self) -> float:
        """t_CPU: an event's time without a server; raises `ConfigurationError` where the module's is not known."""
        return self.other + self._module()

    @property
    def fraction(self) -> float:
        """p of W (1)."""
        return accelerated_fraction(self.cpu_only, self._module(), self.packing)

    @property
    def as_service(self) -> float:
        """The module's time with a server that is free: packing, transmission, travel, GPU."""
        return self.packing + self.transmit + self.travel + self.gpu

    @property
    def ideal(self) -> float:
        """t_ideal of W (2)."""
        return ideal_seconds(self.client_cpu, self.gpu, self.transmit + self.travel)

    @property
    def replacement(self) -> float:
        """F_GPU^eq of K (1)."""
        return replacement_ratio(self._module(), self.packing, 0.0, self.gpu)

    @property
    def module_speed_up(self) -> float:
        """The module's time without a server over that with one that is free."""
        return self._module() / self.as_service

    @property
    def speed_up_limit(self) -> float | None:
        """1 / (1 - p), what a server without time and way would give; None where nothing stays with the client."""
        return self.cpu_only / self.client_cpu if self.client_cpu >= LEAST else None

    def _module(self) -> float:
        if self.module is None:
            raise ConfigurationError("the module's CPU time without a server is not known", "the event")
        return self.module
