"""From what is given, numbers or the report of a run, to an estimate; every contradiction is told at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.serving.emulation import PRESETS, DeviceSpec
from eventbraid.studies.model.checks import need, need_counts
from eventbraid.studies.model.equations import transmit_seconds, travel_seconds
from eventbraid.studies.model.estimate import Estimate
from eventbraid.studies.model.farm import ROUNDING, Farm
from eventbraid.studies.model.measured import Measured, read_report
from eventbraid.studies.model.prices import Prices
from eventbraid.studies.model.requests import Requests, device_seconds
from eventbraid.studies.model.workload import Workload

__all__ = ["Inputs", "plan"]

GPU_HINT: Final = "--gpu-time 1.8s, or --gpu-rate 31000 rows/s, or --device emulated:t4"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `eventbraid plan` is given; None for what is not. Times are seconds for one event."""

    report: Path | None = None
    on_cpu: bool = False
    """The servers of the report computed on a CPU core: that is what the module takes without them."""
    other: float | None = None
    module: float | None = None
    packing: float | None = None
    model: str = ""
    rows: int | None = None
    batch: int | None = None
    """Rows of a request; None: all in one."""
    row_bytes: float | None = None
    gpu_time: float | None = None
    gpu_rate: float | None = None
    """Rows a second of one GPU."""
    device: DeviceSpec | None = None
    joined: int | None = None
    """Requests that the device executes as one batch."""
    bandwidth: float | None = None
    latency: float | None = None
    """Seconds of a request's way there and back."""
    server_bandwidth: float | None = None
    gpus: int | None = None
    clients: int | None = None
    streams: int | None = None
    rate: float | None = None
    events: int = 1_000_000
    cpu_price: float | None = None
    gpu_price: float | None = None

    def __post_init__(self) -> None:
        need("eventbraid plan", {"--other": self.other, "--packing": self.packing, "--latency": self.latency})
        need("eventbraid plan", {"--cpu-price": self.cpu_price, "--gpu-price": self.gpu_price})
        above = ("module", "row_bytes", "gpu_time", "gpu_rate", "bandwidth", "server_bandwidth", "rate")
        need("eventbraid plan", {_option(name): getattr(self, name) for name in above}, positive=True)
        counts = ("rows", "batch", "joined", "gpus", "clients", "streams", "events")
        need_counts("eventbraid plan", {_option(name): getattr(self, name) for name in counts})
        more = self._without_report() if self.report is None else self._beside_report()
        if faults := [*self._device_and_prices(), *more]:
            raise ConfigurationError(faults, "eventbraid plan")

    def _given(self, *names: str) -> list[str]:
        return [name for name in names if getattr(self, name) not in (None, "", False)]

    def _device_and_prices(self) -> Iterator[Fault]:
        """What is wrong with them, with a report and without."""
        gpu = self._given("gpu_time", "gpu_rate", "device")
        if len(gpu) > 1:
            yield Fault(_option(gpu[1]), f"says the same as {_option(gpu[0])}", "give one of them")
        if self.on_cpu and not gpu:
            yield Fault("--on-cpu", "leaves open how fast a GPU is", GPU_HINT)
        if len(self._given("cpu_price", "gpu_price")) == 1:
            yield Fault("--cpu-price and --gpu-price", "go together", "the price of an hour of each")
        if self.joined is not None and self.device is None:
            yield Fault("--joined", "is only for --device")

    def _without_report(self) -> Iterator[Fault]:
        """What is missing, and what only a report makes sense of."""
        if self.other is None:
            what = "CPU time of an event's other modules, as in --other 110s; or --report FILE"
            yield Fault("--other", "is needed", what)
        if not self._given("gpu_time", "gpu_rate", "device"):
            yield Fault("the GPU's time", "is needed", GPU_HINT)
        for name in self._given("batch", "row_bytes", "gpu_rate", "device"):
            if self.rows is None:
                yield Fault(_option(name), "needs --rows", "how many rows an event has in all its requests")
        if self.bandwidth is not None and self.row_bytes is None:
            yield Fault("--bandwidth", "needs --row-bytes", "or nobody knows how much is sent")
        if self.device is not None and self.device.preset and not self.model:
            models = nearest("", PRESETS[self.device.preset].models)
            yield Fault("--device", f"needs --model, one that {self.device.preset} knows", models)

        if self.on_cpu:
            yield Fault("--on-cpu", "is only for --report")

    def _beside_report(self) -> Iterator[Fault]:
        """What contradicts the report."""
        for name in self._given("model", "rows", "batch", "row_bytes"):
            yield Fault(_option(name), "is what the report says", "leave it out, or leave out --report")
        if self.on_cpu and self.module is not None:
            yield Fault("--module", "says the same as --on-cpu", "give one of them")


def plan(inputs: Inputs) -> Estimate:
    """The estimate; the number of clients, where none is given, is the most that need not wait for each other.

    Raises `ConfigurationError` for a report that cannot be read, or does not say enough.
    """
    measured = read_report(inputs.report) if inputs.report is not None else None
    gpu, efficiency = _gpu(inputs, _asked(inputs, measured))
    if measured is None:
        workload = _from_numbers(inputs, gpu)
    else:
        workload = _from_report(inputs, measured, gpu)
    farm = Farm(
        gpus=inputs.gpus or (inputs.device.gpus if inputs.device else 1),
        streams=inputs.streams or (measured.streams if measured else 1),
        efficiency=efficiency,
        bandwidth=inputs.server_bandwidth,
    )
    prices = None
    if inputs.cpu_price is not None and inputs.gpu_price is not None:
        prices = Prices(inputs.cpu_price, inputs.gpu_price)
    return Estimate(
        name=measured.job if measured else inputs.model or "a job",
        workload=workload,
        farm=farm,
        clients=inputs.clients or max(1, math.floor(farm.saturation(workload) * (1 + ROUNDING))),
        events=inputs.events,
        prices=prices,
        rate=inputs.rate,
        notes=measured.notes if measured else (),
    )


def _asked(inputs: Inputs, measured: Measured | None) -> tuple[Requests, ...]:
    if measured is not None:
        return measured.requests
    if inputs.rows is None:
        return ()
    return (Requests(inputs.model, _number(inputs), inputs.rows),)


def _number(inputs: Inputs) -> int:
    """Requests of an event, of numbers that are given."""
    return -(-inputs.rows // inputs.batch) if inputs.rows is not None and inputs.batch is not None else 1


def _gpu(inputs: Inputs, asked: tuple[Requests, ...]) -> tuple[float | None, float]:
    """Seconds of one GPU as given, None where they are not, and the efficiency where there are several."""
    if inputs.device is not None:
        return device_seconds(inputs.device, asked, inputs.joined or 1)
    if inputs.gpu_rate is not None:
        return sum(each.rows for each in asked) / inputs.gpu_rate, 1.0
    return inputs.gpu_time, 1.0


def _from_numbers(inputs: Inputs, gpu: float | None) -> Workload:
    bits = 8 * (inputs.rows or 0) * (inputs.row_bytes or 0.0)
    return Workload(
        other=inputs.other or 0.0,
        gpu=gpu or 0.0,
        packing=inputs.packing or 0.0,
        transmit=transmit_seconds(bits, inputs.bandwidth) if inputs.bandwidth is not None else 0.0,
        travel=travel_seconds(_number(inputs), inputs.latency or 0.0),
        module=inputs.module,
        bits=bits,
    )


def _from_report(inputs: Inputs, measured: Measured, gpu: float | None) -> Workload:
    compute = measured.compute
    if not compute and (gpu is None or inputs.on_cpu):
        what = "the servers did not say how long they computed"
        raise ConfigurationError([Fault(str(inputs.report), what, GPU_HINT)], str(inputs.report))
    gpu = compute if gpu is None else gpu
    transmit, travel = 0.0, max(0.0, measured.away - measured.client - (compute or gpu or 0.0))
    if inputs.bandwidth is not None or inputs.latency is not None:
        transmit = transmit_seconds(measured.bits, inputs.bandwidth) if inputs.bandwidth is not None else 0.0
        travel = travel_seconds(measured.trips, inputs.latency or 0.0)
    return Workload(
        other=measured.other if inputs.other is None else inputs.other,
        gpu=gpu or 0.0,
        packing=measured.preparing + measured.client if inputs.packing is None else inputs.packing,
        transmit=transmit,
        travel=travel,
        module=measured.preparing + (compute or 0.0) if inputs.on_cpu else inputs.module,
        bits=measured.bits,
    )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
