"""The equations of inference as a service, each a function, by the number that it has in its paper.

W: Wang et al. 2021, arXiv:2009.04509, section 3.3: clients that block while they wait for their request.
K: Krupa et al. 2021, arXiv:2007.10359, section 3.3: clients that do other work meanwhile.

Times are seconds for one event, means over many. All of them hold where clients are alike, each on a core of its own,
and where a GPU takes as long for each event: no spread, no queue before it is full. What is negative or no number
raises `ConfigurationError`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventbraid.errors import ConfigurationError
from eventbraid.studies.model.checks import need_finite

__all__ = [
    "accelerated_fraction",
    "ideal_seconds",
    "replacement_ratio",
    "saturated_seconds",
    "saturation_ratio",
    "sonic_seconds",
    "transmit_seconds",
    "travel_seconds",
]


def accelerated_fraction(t_cpu: float, t_module: float, t_preprocess: float) -> float:
    """p of W (1), t_CPU = (1 - p) t_CPU + p t_CPU: the share of an event's CPU time that goes to the GPU.

    That is the module's time without a server, less what stays on the CPU to prepare its requests. It is below 0 where
    preparing costs more than the module did.
    """
    need_finite("W (1)", {"t_preprocess": t_preprocess, "t_module": t_module})
    need_finite("W (1)", {"t_cpu": t_cpu}, positive=True)
    if t_module > t_cpu:
        raise ConfigurationError(f"t_module must be at most t_cpu, {t_cpu:g} s, not {t_module:g} s", "W (1)")
    return (t_module - t_preprocess) / t_cpu


def ideal_seconds(t_stays: float, t_gpu: float, t_latency: float) -> float:
    """t_ideal of W (2), (1 - p) t_CPU + t_GPU + t_latency: an event's time where a GPU is always free.

    `t_stays` is (1 - p) t_CPU. It holds the preprocessing, as p leaves that out; so `t_latency` is transmission and
    travel alone. The paper's text has the preprocessing in both, its measured 123 s have it once.
    """
    need_finite("W (2)", {"t_stays": t_stays, "t_gpu": t_gpu, "t_latency": t_latency})
    return t_stays + t_gpu + t_latency


def saturation_ratio(t_ideal: float, t_gpu: float) -> float:
    """The clients a GPU of W (3), t_ideal / t_GPU, above which it is saturated."""
    need_finite("W (3)", {"t_ideal": t_ideal})
    need_finite("W (3)", {"t_gpu": t_gpu}, positive=True)
    return t_ideal / t_gpu


def sonic_seconds(t_ideal: float, t_gpu: float, clients: ArrayLike, gpus: ArrayLike) -> NDArray[np.float64]:
    """t_SONIC of W (4), t_ideal + t_GPU max(0, N_CPU / N_GPU - t_ideal / t_GPU), of any number of clients and GPUs.

    It is constant up to the ratio of W (3), where W (5) takes over.
    """
    need_finite("W (4)", {"t_ideal": t_ideal, "t_gpu": t_gpu})
    return np.maximum(t_ideal, saturated_seconds(t_gpu, clients, gpus))


def saturated_seconds(t_gpu: float, clients: ArrayLike, gpus: ArrayLike) -> NDArray[np.float64]:
    """t_SONIC of W (5), t_GPU N_CPU / N_GPU: an event's time where the GPUs are all that counts."""
    number, served = np.asarray(clients, np.float64), np.asarray(gpus, np.float64)
    need_finite("W (5)", {"t_gpu": t_gpu, "clients": float(np.min(number, initial=0)), "gpus": 1.0})
    need_finite("W (5)", {"clients": float(np.max(number, initial=0))})
    need_finite("W (5)", {"gpus": float(np.min(served))}, positive=True)
    return np.asarray(t_gpu * (number / served), np.float64)


def transmit_seconds(bits: float, bandwidth: float) -> float:
    """t_transmit of W 3.3: the time of an event's input data on a link of so many bits a second."""
    need_finite("t_transmit", {"bits": bits})
    need_finite("t_transmit", {"bandwidth": bandwidth}, positive=True)
    return bits / bandwidth


def travel_seconds(requests: float, round_trip: float) -> float:
    """t_travel of W 3.3, N_request t_request: requests that are sent one after the other."""
    need_finite("t_travel", {"requests": requests, "round_trip": round_trip})
    return requests * round_trip


def replacement_ratio(cpu: float, packing: float, rescheduling: float, gpu: float) -> float:
    """F_GPU^eq of K (1), (X - S - L) / Y: how many CPU cores one GPU replaces at the same throughput.

    X is the algorithm's time on a CPU, S that of packing its input and output, L that of taking the event up again, Y
    the GPU's. It holds for clients with enough events in flight to fill the waiting, and while nothing else is full.
    Below 0 packing and rescheduling cost more than the algorithm did.
    """
    need_finite("K (1)", {"cpu": cpu, "packing": packing, "rescheduling": rescheduling})
    need_finite("K (1)", {"gpu": gpu}, positive=True)
    return (cpu - packing - rescheduling) / gpu
