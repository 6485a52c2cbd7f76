"""What an event asks of a model, and how long a GPU has to work for that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from eventbraid.errors import ConfigurationError, Fault, nearest
from eventbraid.serving.emulation import PRESETS, DeviceSpec
from eventbraid.serving.emulation.spec import check_models
from eventbraid.studies.model.checks import need, need_counts

__all__ = ["Requests", "device_seconds"]


@dataclass(frozen=True, slots=True)
class Requests:
    """What one event asks of one model; means over many events, so not whole."""

    model: str
    number: float
    rows: float
    """Of all of them together."""

    def __post_init__(self) -> None:
        need("the requests", {"number": self.number, "rows": self.rows}, positive=True)


def device_seconds(device: DeviceSpec, asked: Sequence[Requests], joined: int = 1) -> tuple[float, float]:
    """How long one GPU of an emulated device works for an event, and the efficiency of each where there are several.

    `joined` requests are executed as one batch. Raises `ConfigurationError` for a model that the preset does not know,
    where the device says nothing of it either.
    """
    need_counts("the requests", {"joined": joined})
    check_models(device, [each.model for each in asked])
    if device.preset:
        preset = PRESETS[device.preset]
        for each in asked:
            if each.model not in device.models and preset.find(each.model) is None:
                hint = (
                    nearest(each.model, preset.models) + f"; or give it {each.model}.t0=... and {each.model}.per_row="
                )
                fault = Fault("--device", f"the preset {device.preset!r} has no model {each.model!r}", hint)
                raise ConfigurationError([fault], "--device")
    one, two = (sum(_seconds(replace(device, gpus=gpus), each, joined) for each in asked) for gpus in (1, 2))
    return one, one / two if two else 1.0


def _seconds(device: DeviceSpec, asked: Requests, joined: int) -> float:
    """For a mean number of rows, some requests have one row more than the others."""
    rows = asked.rows / asked.number
    few, time = math.floor(rows), device.service(asked.model)
    less, more = (time.seconds(size * joined) / joined for size in (few, few + 1))
    return asked.number * (less + (rows - few) * (more - less))
